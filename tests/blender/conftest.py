"""Blender's own Python, as the module `bpy` in an environment of its own, in another process.

A test hands the name of a file in `inside/` and of a function there, which runs in Blender and
whose answer comes back as JSON. The pythons are those of `.venv/blender-*`, or the ones that
LIMNER_BPY names. Where there is none these tests are skipped, unless LIMNER_NEEDS_BLENDER is set,
as CI sets it. What needs no bpy is tested here directly.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
INSIDE = Path(__file__).parent / "inside"
ADDON = ROOT / "blender_addon" / "limner_blender"
PATIENCE_S = 150
BIN = "Scripts" if os.name == "nt" else "bin"

# The package itself needs bpy; its modules that don't are tested in this Python.
package = sys.modules.setdefault(ADDON.name, ModuleType(ADDON.name))
package.__path__ = [str(ADDON)]


class Blender:
    """A Python that has bpy."""

    def __init__(self, python: Path, folder: Path) -> None:
        self.python, self.folder = python, folder

    def run(self, file: str, function: str, *paths: Path, **given: Any) -> Any:
        """What a function of a file in `inside/` answers.

        Args:
            paths: further folders or wheels to import from.
            given: its arguments; what JSON holds, and paths.

        Raises:
            AssertionError: with what Blender wrote, if it fails or takes longer than `PATIENCE_S`.
        """
        answer = self.folder / "answer.json"
        answer.unlink(missing_ok=True)
        told = json.dumps(given, default=str)
        command = [self.python, INSIDE / "run.py", INSIDE / file, function, told, answer]
        try:
            done = subprocess.run(
                command, env=self._environment(paths), cwd=self.folder, timeout=PATIENCE_S,
                stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as late:
            raise AssertionError(f"{file} {function}: too slow\n{late.output}") from None
        assert answer.exists(), f"{file} {function} ended with {done.returncode}:\n{done.stdout}"
        return json.loads(answer.read_text("utf-8"))

    def _environment(self, paths: tuple[Path, ...]) -> dict[str, str]:
        own = {
            "PYTHONPATH": os.pathsep.join(map(str, (ROOT / "shared", ADDON.parent, *paths))),
            "BLENDER_USER_RESOURCES": str(self.folder / "blender"),
            "LIMNER_DATA": str(self.folder / "limner"),
            "TMPDIR": str(self.folder),  # the module leaves a folder there every time
        }
        return {**os.environ, **own}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "blender_python" in metafunc.fixturenames:
        found = _pythons()
        names = [path.parents[1].name for path in found]
        metafunc.parametrize("blender_python", found or [None], ids=names or ["none"])


@pytest.fixture
def blender(blender_python: Path | None, tmp_path: Path) -> Iterator[Blender]:
    """Each Blender that there is, with folders of its own."""
    if blender_python is None:
        why = "no Python with bpy: neither .venv/blender-*, nor named by LIMNER_BPY"
        assert "LIMNER_NEEDS_BLENDER" not in os.environ, why
        pytest.skip(why)
    yield Blender(blender_python, tmp_path)


def _pythons() -> list[Path]:
    named = os.environ.get("LIMNER_BPY", "")
    made = sorted((ROOT / ".venv").glob(f"blender-*/{BIN}/python*"))
    found = [Path(name) for name in named.split(os.pathsep) if name] or [
        path for path in made if path.stem == "python"
    ]
    return [path for path in found if path.exists()]
