"""Methods of one's own: each a Python file that says `METHOD = …`, in a folder; every front end
then has its form, and `limner run` its options.

The folder is named by LIMNER_METHODS, or is `methods` in the user's data folder. A file is run as
any program of the user's is: nothing is in that folder that they have not put there. One that is
not a method is left out, and `PROBLEMS` says why (`limner doctor` shows it).
"""

from __future__ import annotations

import importlib.util
import os
import re
import sys
from collections.abc import Container
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any

from limner.methods.base import DRAW, EDIT, IMAGINE, ROLES, Method
from limner.methods.schema import schema
from limner_wire import place

NAME = re.compile(r"[a-z][a-z0-9_]{0,39}")
HAS = ("name", "title", "family", "about", "params", "inputs", "needs", "needs_models",
       "setup", "step", "result", "save", "restore")  # fmt: skip

PROBLEMS: dict[str, str] = {}  # by file


def folder() -> Path:
    """Where they lie; it need not exist."""
    return Path(os.environ.get("LIMNER_METHODS") or place.data_folder() / "methods")


def found(taken: Container[str]) -> list[Method[Any, Any]]:
    """The methods in the folder.

    Args:
        taken: names that they can't have.
    """
    methods: dict[str, Method[Any, Any]] = {}
    for path in sorted(folder().glob("*.py")):
        try:
            method = _read(path)
            if method.name in taken or method.name in methods:
                raise ValueError(f"there is a method {method.name!r} already")
            methods[method.name] = method
        except Exception as problem:
            PROBLEMS[path.name] = f"{type(problem).__name__}: {problem}"
    return list(methods.values())


def _read(path: Path) -> Method[Any, Any]:
    """The method in a file.

    Raises:
        Exception: whatever the file raises; ValueError if it is none.
    """
    spec = importlib.util.spec_from_file_location(f"limner_own_{path.stem}", path)
    if spec is None or spec.loader is None:
        raise ValueError("it can't be imported")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # dataclasses look for it there
    spec.loader.exec_module(module)
    method = getattr(module, "METHOD", None)
    if method is None:
        raise ValueError("it does not say METHOD = …, an object of its class")
    if missing := [name for name in HAS if not hasattr(method, name)]:
        raise ValueError(f"METHOD has no {', '.join(missing)} (see limner.methods.base.Method)")
    if not NAME.fullmatch(method.name):
        raise ValueError("its name must be small letters, digits and _")
    if method.family not in (DRAW, EDIT, IMAGINE):
        raise ValueError(f"its family must be {DRAW}, {EDIT} or {IMAGINE}")
    if strange := {*method.inputs, *method.needs} - set(ROLES):
        raise ValueError(f"there is no input {sorted(strange)[0]!r}")
    if not (isinstance(method.params, type) and is_dataclass(method.params)):
        raise ValueError("its params must be a dataclass")
    schema(method.params)
    made: Method[Any, Any] = method
    return made
