"""How the plugin comes into Krita: its docker, its actions, and its refusals, with a typed stub."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import krita_stub
import pytest
from artists import Backend
from paper import Paper
from PyQt5 import QtWidgets, sip

from limner_krita.starter import Starter

OURS = ("limner_krita", "limner_krita.extension")
Until = Callable[..., None]


@pytest.fixture
def krita(
    app: QtWidgets.QApplication, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[krita_stub.Krita]:
    """A Krita that was just started, with a document of paper."""
    document = ModuleType("limner_krita.document")
    paper = Paper()
    for name in dir(paper):
        if not name.startswith("_"):
            setattr(document, name, getattr(paper, name))
    monkeypatch.setitem(sys.modules, "limner_krita.document", document)
    monkeypatch.setattr("limner_krita.document", document, raising=False)
    for name in OURS:
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield krita_stub.install()
    krita_stub.remove()
    for name in OURS:
        sys.modules.pop(name, None)


def test_docker_and_actions_come_into_krita(
    krita: krita_stub.Krita, backend: Backend, until: Until
) -> None:
    backend.start()
    importlib.import_module("limner_krita")
    extension_module = sys.modules["limner_krita.extension"]
    [factory], [extension] = krita.factories, krita.extensions
    extension.setup()
    docker = factory.create()
    krita.window = krita_stub.Window(docker)
    extension.createActions(krita.window)
    assert set(krita.window.actions) == {
        f"limner_action_{name}" for name in ("draw", "stop", "apply")
    }
    docker.canvasChanged(None)
    panel = docker.panel
    until(lambda: panel.transport.is_ready, "connected")
    panel.prompt.setEditText("a cat")
    krita.window.actions["limner_action_draw"].trigger()
    until(lambda: backend.engine.orders, "the order")
    krita.notifier().applicationClosing.emit()
    assert not panel.transport._looking.isActive()
    sip.delete(docker)
    assert extension_module._dockers == []
    krita.window.actions["limner_action_draw"].trigger()  # no docker: nothing


def test_the_actions_have_shortcuts_that_krita_has_not() -> None:
    text = (Path(__file__).parents[2] / "krita_plugin/limner_krita.action").read_text("utf-8")
    for name in ("draw", "stop", "apply"):
        assert f'name="limner_action_{name}"' in text
    own = Path("/usr/share/krita/actions")
    if own.is_dir():
        taken = "".join(path.read_text("utf-8").lower() for path in own.glob("*.action"))
        for key in "dsa":
            assert f"ctrl+alt+shift+{key}<" in text.lower()
            assert f"ctrl+alt+shift+{key}<" not in taken


@pytest.mark.parametrize("version", ["4.4.8", "5.0.2", "5.0.0-beta1 (git 3f4)"])
def test_an_older_krita_is_told(krita: krita_stub.Krita, version: str) -> None:
    krita_stub.install(version)
    with pytest.raises(ImportError, match=r"needs Krita 5\.1 or newer; this one is"):
        importlib.import_module("limner_krita")


@pytest.mark.parametrize("version", ["5.1.5", "5.3.0-prealpha (git 3f4)", "6.0.0"])
def test_newer_ones_are_welcome(krita: krita_stub.Krita, version: str) -> None:
    importlib.import_module("limner_krita")
    module = sys.modules["limner_krita"]
    assert module._krita_version(version) >= module.KRITA_LEAST


@pytest.mark.skipif(os.name != "posix", reason="a shell script stands in for limner")
def test_a_backend_is_started_and_its_log_kept(
    app: QtWidgets.QApplication, folder: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONHOME", "/of/krita")
    program = folder / "limner"
    program.write_text(
        '#!/bin/sh\necho "asked to $1"\necho "page http://x/#ticket=SECRET"\n'
        'echo "home ${PYTHONHOME:-none}"\nexec sleep 60\n'
    )
    program.chmod(0o755)
    starter = Starter()
    starter.start(str(program))
    until(lambda: len(starter.log) >= 4, "its log")
    assert starter.is_running
    assert list(starter.log)[1:] == ["asked to serve", "page http://x/#ticket=…", "home none"]
    starter.stop()
    until(lambda: not starter.is_running, "its end")
    starter.start(str(folder / "missing"))
    until(lambda: "No such file" in starter.log[-1], "why not")
    until(lambda: not starter.is_running, "its end")
