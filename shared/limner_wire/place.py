"""Where the backend and its front ends find each other on one machine.

The user's data folder, as each system has it; `LIMNER_DATA` names another. In it lie the token
(whoever can read that file is the user) and, while a backend runs, where it listens.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

PORT = 7411  # if it is free
TOKEN, BACKEND = "token", "backend.json"


@dataclass(frozen=True)
class Backend:
    """A backend that runs, or did when it was killed.

    Attributes:
        url: of its websocket.
        pid: of its process.
    """

    url: str
    pid: int
    version: str


def data_folder() -> Path:
    """The user's own folder for Limner's data; it need not exist yet."""
    if named := os.environ.get("LIMNER_DATA"):
        return Path(named)
    home = Path.home()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local") / "limner"
    if sys.platform == "darwin":
        return home / "Library" / "Application Support" / "limner"
    return Path(os.environ.get("XDG_DATA_HOME") or home / ".local" / "share") / "limner"


def token() -> str:
    """The token that opens the backend; nothing if none was ever started."""
    try:
        return (data_folder() / TOKEN).read_text("utf-8").strip()
    except OSError:
        return ""


def backend() -> Backend | None:
    """The backend that said last that it runs; whether it still does, a connection tells."""
    try:
        found = json.loads((data_folder() / BACKEND).read_text("utf-8"))
        return Backend(str(found["url"]), int(found["pid"]), str(found["version"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def announce(backend: Backend) -> None:
    """Say that a backend runs."""
    folder = data_folder()
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = folder / f"{BACKEND}.{os.getpid()}"
    part.write_text(json.dumps(asdict(backend)), "utf-8")
    part.replace(folder / BACKEND)


def withdraw() -> None:
    """Say that it runs no more; another's word is left alone."""
    found = backend()
    if found is not None and found.pid == os.getpid():
        (data_folder() / BACKEND).unlink(missing_ok=True)
