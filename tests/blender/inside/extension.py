"""The extension as an artist installs it: from its zip, with no source tree to import from."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from pathlib import Path
from typing import Any

ADDON = "bl_ext.user_default.limner"
CARRIED = ("limner_wire", "limner_front", "websockets")


def install(archives: dict[str, str]) -> list[dict[str, Any]]:
    """Install one after the other, each in place of the last, and disable it in the end.

    Args:
        archives: their files, and of each a module that it carries.

    Returns:
        What holds after each installation, and at last what is left.
    """
    _hide_the_source_tree()
    import bpy

    told = [_installed(bpy, archive, module) for archive, module in archives.items()]
    bpy.ops.preferences.addon_disable(module=ADDON)
    return [*told, _left(bpy)]


def _installed(bpy: Any, archive: str, module: str) -> dict[str, Any]:
    said = bpy.ops.extensions.package_install_files(
        filepath=archive, repo="user_default", enable_on_install=True
    )
    carried = {name: importlib.import_module(name).__file__ for name in (*CARRIED, module)}
    own = sys.modules[ADDON]
    return {
        "said": sorted(said),
        "enabled": ADDON in bpy.context.preferences.addons,
        "from": carried,
        "version": own.VERSION,
        "operators": sorted(dir(bpy.ops.limner)),
    }


def _left(bpy: Any) -> dict[str, Any]:
    site = [Path(path) for path in sys.path if ".local" in Path(path).parts]
    return {
        "enabled": ADDON in bpy.context.preferences.addons,
        "operators": sorted(dir(bpy.ops.limner)),
        "threads": sorted(t.name for t in threading.enumerate() if t.name != "MainThread"),
        "wheels": sorted(path.name for folder in site for path in folder.glob("*")),
    }


def _hide_the_source_tree() -> None:
    source = os.environ.pop("PYTHONPATH").split(os.pathsep)
    sys.path[:] = [path for path in sys.path if path not in source]
    for name in CARRIED:
        assert importlib.util.find_spec(name) is None, f"{name} is to be found without its wheel"
