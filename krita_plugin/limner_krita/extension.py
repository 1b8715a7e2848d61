"""What Krita is given: the docker, and the actions with their shortcuts."""

from __future__ import annotations

from functools import cache
from typing import Any

from krita import DockWidget, DockWidgetFactory, DockWidgetFactoryBase, Extension, Krita
from limner_front import i18n
from limner_front.i18n import _
from limner_krita import document, settings
from limner_krita.docker import Panel
from limner_krita.qt import QtCore
from limner_krita.starter import Starter
from limner_krita.transport import Transport

DOCKER = "limner_docker"
ACTIONS = ("draw", "stop", "apply")  # `limner_krita.action` has their shortcuts
MENU = "tools/scripts"

_dockers: list[LimnerDocker] = []  # one a window; Krita 5.1 does not tell which there are


class Shared:
    """What all windows of Krita share: one line to the backend, one memory."""

    def __init__(self) -> None:
        self.settings = settings.load()
        i18n.choose(self.settings.language or QtCore.QLocale().name())
        self.transport, self.starter = Transport(), Starter()
        self.transport.open()

    def close(self) -> None:
        """Krita ends."""
        self.transport.close()
        self.starter.close()
        settings.save(self.settings)


@cache
def shared() -> Shared:
    """The one there is; made with the first docker."""
    return Shared()


class LimnerDocker(DockWidget):
    """The docker, one a window."""

    def __init__(self) -> None:
        super().__init__()
        common = shared()
        version = str(Krita.instance().version())
        self.panel = Panel(common.transport, common.starter, common.settings, document, version)
        self.setWindowTitle(_("Limner"))
        self.setWidget(self.panel)
        _dockers.append(self)
        self.panel.destroyed.connect(lambda: _dockers.remove(self))

    def canvasChanged(self, canvas: Any) -> None:
        """Another document is at hand."""
        self.panel.canvas_changed()


class LimnerExtension(Extension):
    """The actions."""

    def __init__(self, parent: Any) -> None:
        super().__init__(parent)

    def setup(self) -> None:
        """Krita has started."""
        notifier = Krita.instance().notifier()
        notifier.setActive(True)
        notifier.applicationClosing.connect(_closing)

    def createActions(self, window: Any) -> None:
        """Put the actions into a new window."""
        texts = (_("Limner: Draw the prompt"), _("Limner: Stop and keep"), _("Limner: Apply"))
        for name, text in zip(ACTIONS, texts, strict=True):
            action = window.createAction(f"limner_action_{name}", text, MENU)
            action.triggered.connect(lambda _on=False, n=name: _act(n))


def _act(name: str) -> None:
    """Do it in the docker of the window that the artist is in."""
    window = Krita.instance().activeWindow()
    main = window.qwindow() if window is not None else None
    docker = next((d for d in _dockers if d.parentWidget() is main), None)
    if docker is not None:
        docker.show()
        getattr(docker.panel, name)()


def _closing() -> None:
    if shared.cache_info().currsize:
        shared().close()


def register(krita: Any) -> None:
    """Put docker and actions into Krita."""
    place = DockWidgetFactoryBase.DockRight
    krita.addDockWidgetFactory(DockWidgetFactory(DOCKER, place, LimnerDocker))
    krita.addExtension(LimnerExtension(krita))
