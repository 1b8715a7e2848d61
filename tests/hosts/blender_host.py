"""The Pythons that have `bpy`: those of `.venv/blender-*`, or the ones that LIMNER_BPY names."""

from __future__ import annotations

import os
from pathlib import Path

ROOT = Path(__file__).parents[2]
BIN = "Scripts" if os.name == "nt" else "bin"


def pythons() -> list[Path]:
    """Their programs."""
    named = os.environ.get("LIMNER_BPY", "")
    made = sorted((ROOT / ".venv").glob(f"blender-*/{BIN}/python*"))
    found = [Path(name) for name in named.split(os.pathsep) if name]
    return [p for p in found or made if p.exists() and p.stem == "python"]


def python_ids() -> list[str]:
    """A name for each."""
    return [path.parents[1].name for path in pythons()] or ["none"]
