"""The packages that the plugin carries with it: `limner_wire`, `limner_front` and `websockets`.

Other plugins carry a `websockets` of their own, perhaps an older one, and put it on `sys.path`. So
ours goes onto no path: it is a part of this package (all its imports are relative), and
the other two, whose names nobody else has, are found by their files. In the source tree, where
nothing is carried, all are imported as any package is.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

VENDOR = Path(__file__).parent / "vendor"
OURS = ("limner_wire", "limner_front")


def prepare() -> str:
    """Make them importable. What is missing, by name; nothing if all is there."""
    for name in OURS:
        if name not in sys.modules and (VENDOR / name).is_dir():
            _load(name, VENDOR / name)
    for name in ("limner_wire.session", "limner_front.jobs", "websockets.client"):
        try:
            importlib.import_module(name) if name.startswith("limner") else websockets("client")
        except ImportError:
            return name.partition(".")[0]
    return ""


def websockets(module: str) -> ModuleType:
    """A module of `websockets`: "client"; the carried one, or the installed one.

    Raises:
        ImportError: if there is neither.
    """
    is_carried = (VENDOR / "websockets").is_dir()
    package = "limner_krita.vendor.websockets" if is_carried else "websockets"
    return importlib.import_module(f"{package}.{module}")


def _load(name: str, folder: Path) -> None:
    file = folder / "__init__.py"
    spec = importlib.util.spec_from_file_location(
        name, file, submodule_search_locations=[str(folder)]
    )
    if spec is None or spec.loader is None:
        return
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    spec.loader.exec_module(package)
