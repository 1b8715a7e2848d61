"""The archive: found by Krita's rules, and whole: it draws with nothing but what it carries."""

from __future__ import annotations

import configparser
import io
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import tomllib
from artists import Backend

from limner import plugins
from limner_krita.version import VERSION

ROOT = Path(__file__).parents[2]
TALK = """
import sys
sys.path = [p for p in sys.path if "site-packages" not in p and p != ""]
sys.path.insert(0, {folder!r})
sys.path.append({site!r})  # for PyQt alone; what is carried is found before
import limner_krita
from limner_krita.qt import QtCore
from limner_krita.transport import Transport
app = QtCore.QCoreApplication([])
line = Transport()
line.phaseChanged.connect(lambda: line.is_ready and app.quit())
QtCore.QTimer.singleShot(15000, app.quit)
line.open()
(app.exec if hasattr(app, "exec") else app.exec_)()
import limner_front, limner_wire
used = sys.modules["limner_krita.vendor.websockets.version"].version
ours = limner_wire.__file__, limner_front.__file__
print(line.link.value, used, *ours, "websockets" in sys.modules)
line.close()
"""


@pytest.fixture(scope="module")
def built() -> bytes:
    return plugins.krita()


def test_krita_finds_the_plugin_in_it(built: bytes) -> None:
    names = zipfile.ZipFile(io.BytesIO(built)).namelist()
    # as plugin_importer.py: the .desktop names the module, whose folder has an entry of its own
    [desktop] = [name for name in names if name.endswith(".desktop")]
    config = configparser.ConfigParser()
    config.read_string(zipfile.ZipFile(io.BytesIO(built)).read(desktop).decode())
    name = config["Desktop Entry"]["X-KDE-Library"]
    assert f"{name}/" in names and f"{name}/__init__.py" in names
    assert f"{name}.action" in names and f"{name}/Manual.html" in names
    assert config["Desktop Entry"]["X-Krita-Manual"] == "Manual.html"
    for folder in {n.rpartition("/")[0] + "/" for n in names if "/" in n.strip("/")}:
        assert folder in names and names.index(folder) < names.index(
            next(n for n in names if n.startswith(folder) and n != folder)
        )


def test_it_carries_what_it_needs_and_nothing_else(built: bytes) -> None:
    names = set(zipfile.ZipFile(io.BytesIO(built)).namelist())
    vendor = "limner_krita/vendor/"
    carried = ("limner_wire/session.py", "limner_front/jobs.py", "limner_front/locales/en.json")
    for needed in (*carried, "websockets/client.py", "websockets/LICENSE"):
        assert vendor + needed in names
    assert not any("__pycache__" in n or n.endswith((".pyc", ".so", ".c")) for n in names)


def test_the_same_sources_give_the_same_bytes(built: bytes) -> None:
    assert plugins.krita() == built


def test_versions_agree() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    assert project["project"]["version"] == VERSION


def test_it_talks_with_what_it_carries(built: bytes, backend: Backend, tmp_path: Path) -> None:
    """Python's path has the unpacked archive and PyQt; `websockets` is not to be found on it."""
    folder = tmp_path / "pykrita"
    zipfile.ZipFile(io.BytesIO(built)).extractall(folder)
    backend.start()
    import PyQt5

    script = TALK.format(folder=str(folder), site=str(Path(PyQt5.__file__).parents[1]))
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False
    )
    link, version, wire, front, has_other = done.stdout.split() or ["", "", "", "", done.stderr]
    assert (link, has_other) == ("ready", "False"), done.stderr
    assert version.startswith("16.")
    assert wire.startswith(str(folder)) and front.startswith(str(folder))


def test_without_what_it_carries_it_says_what_to_do(built: bytes, tmp_path: Path) -> None:
    zipped = zipfile.ZipFile(io.BytesIO(built))
    zipped.extractall(tmp_path, [n for n in zipped.namelist() if "/vendor/" not in n])
    code = f"import sys; sys.path[:] = [{str(tmp_path)!r}] + sys.path; import limner_krita"
    command = [sys.executable, "-S", "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    last = done.stderr.strip().splitlines()[-1]
    assert "limner-krita.zip" in last and "limner install krita" in last
