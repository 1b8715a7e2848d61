"""The losses of a drawing as small curves, each on a scale of its own; the main one stands out."""

from __future__ import annotations

from limner_front.i18n import _
from limner_front.jobs import Curve
from limner_krita.qt import QtCore, QtGui, QtWidgets

MAIN = "loss"
EDGE_PX = 3
HEIGHT_PX = 48
OTHERS = ("#3d9970", "#b8860b", "#8a63d2")


class Chart(QtWidgets.QWidget):
    """The curves; hidden while there are none."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self.setObjectName("limner_chart")
        self.setFixedHeight(HEIGHT_PX)
        self.setAccessibleName(_("The loss over the steps"))
        self._curves: dict[str, Curve] = {}
        self.hide()

    def show_curves(self, curves: dict[str, Curve]) -> None:
        """Draw these from now on."""
        self._curves = {name: c for name, c in curves.items() if len(c) > 1}
        last = (f"{name.replace('_', ' ')} {c[-1][1]:.3g}" for name, c in self._curves.items())
        self.setToolTip(" · ".join(last))
        self.setVisible(bool(self._curves))
        self.update()

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        names = sorted(self._curves, key=lambda name: name == MAIN)  # the main one over the others
        for place, name in enumerate(names):
            accent = self.palette().highlight().color()
            colour = accent if name == MAIN else QtGui.QColor(OTHERS[place % len(OTHERS)])
            painter.setPen(QtGui.QPen(colour, 1.75 if name == MAIN else 1.0))
            painter.drawPolyline(_line(self._curves[name], self.width(), self.height()))
        painter.end()


def _line(curve: Curve, wide: int, high: int) -> QtGui.QPolygonF:
    values = [value for _step, value in curve]
    low, first = min(values), curve[0][0]
    span, steps = (max(values) - low) or 1.0, (curve[-1][0] - first) or 1
    across, down = wide - 2 * EDGE_PX, high - 2 * EDGE_PX
    return QtGui.QPolygonF(
        [
            QtCore.QPointF(
                EDGE_PX + (step - first) / steps * across,
                high - EDGE_PX - (value - low) / span * down,
            )
            for step, value in curve
        ]
    )
