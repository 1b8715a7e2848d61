"""Qt as this Krita has it: the one place that tells PyQt5 from PyQt6.

Krita 6 comes with PyQt6, all before with PyQt5. A machine may have both, and loading the other one
would load a second Qt: so Krita is asked, and nothing is tried. All enums are written scoped
(`Qt.AlignmentFlag.AlignRight`), as both understand.
"""

from __future__ import annotations


def _major() -> int:
    """Which Qt runs: 6 or 5."""
    try:
        import pykrita

        return int(pykrita.qt_major_version())
    except (ImportError, AttributeError):
        return 5


IS_QT6 = _major() >= 6

if IS_QT6:
    from PyQt6 import QtCore, QtGui, QtNetwork, QtWidgets
    from PyQt6.QtGui import QAction
else:
    from PyQt5 import QtCore, QtGui, QtNetwork, QtWidgets
    from PyQt5.QtWidgets import QAction

Qt = QtCore.Qt
Signal = QtCore.pyqtSignal

__all__ = ["IS_QT6", "QAction", "Qt", "QtCore", "QtGui", "QtNetwork", "QtWidgets", "Signal"]
