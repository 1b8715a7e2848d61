"""As much of Krita's module `krita` as the plugin's registration touches, typed.

It stands in for Krita where a test needs the plugin to load outside of it: `install` puts it into
`sys.modules`. What the plugin does to documents is tested in the real Krita (`tests/hosts`).
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import ModuleType
from typing import Any, ClassVar

from PyQt5 import QtCore, QtWidgets

VERSION = "5.1.5"


class Notifier(QtCore.QObject):
    """Tells what happens to Krita as a whole."""

    applicationClosing = QtCore.pyqtSignal()

    def setActive(self, is_active: bool) -> None:
        self.is_active = is_active


class Extension(QtCore.QObject):
    """What a plugin without a docker is."""


class DockWidget(QtWidgets.QDockWidget):
    """What a plugin's docker is."""


class DockWidgetFactoryBase:
    """Where dockers go."""

    DockRight = 1


class DockWidgetFactory(DockWidgetFactoryBase):
    """Makes a docker for each window."""

    def __init__(self, name: str, place: int, kind: Callable[[], DockWidget]) -> None:
        self.name, self.place, self.kind = name, place, kind

    def create(self) -> DockWidget:
        """As Krita does for each window."""
        docker = self.kind()
        docker.setObjectName(self.name)
        return docker


class Window:
    """One of Krita's windows."""

    def __init__(self, *dockers: DockWidget) -> None:
        self._window = QtWidgets.QMainWindow()
        for docker in dockers:
            self._window.addDockWidget(QtCore.Qt.DockWidgetArea.RightDockWidgetArea, docker)
        self.actions: dict[str, QtWidgets.QAction] = {}

    def qwindow(self) -> QtWidgets.QMainWindow:
        return self._window

    def createAction(self, name: str, text: str = "", menu: str = "") -> QtWidgets.QAction:
        self.actions[name] = QtWidgets.QAction(text)
        return self.actions[name]


class Krita(QtCore.QObject):
    """The application."""

    _one: ClassVar[Krita | None] = None

    def __init__(self, version: str = VERSION) -> None:
        super().__init__()
        self._version, self._notifier = version, Notifier()
        self.factories: list[DockWidgetFactory] = []
        self.extensions: list[Any] = []
        self.window: Window | None = None

    @classmethod
    def instance(cls) -> Krita:
        if cls._one is None:
            cls._one = cls()
        return cls._one

    def version(self) -> str:
        return self._version

    def activeWindow(self) -> Window | None:
        return self.window

    def notifier(self) -> Notifier:
        return self._notifier

    def addDockWidgetFactory(self, factory: DockWidgetFactory) -> None:
        self.factories.append(factory)

    def addExtension(self, extension: Any) -> None:
        self.extensions.append(extension)


def install(version: str = VERSION) -> Krita:
    """Be the module `krita`, of a Krita that was just started."""
    Krita._one = Krita(version)
    module = ModuleType("krita")
    for thing in (Krita, Extension, DockWidget, DockWidgetFactory, DockWidgetFactoryBase):
        setattr(module, thing.__name__, thing)
    sys.modules["krita"] = module
    return Krita._one


def remove() -> None:
    """Be it no more."""
    sys.modules.pop("krita", None)
