"""The program `limner` on the artist's machine: found, started cleanly, and told about for help."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterable
from pathlib import Path

from limner_wire import messages, place

PROGRAM = "limner.exe" if sys.platform == "win32" else "limner"
OF_PYTHON = ("PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP")  # hosts set them for the one inside
SECRET = re.compile(r"((?:ticket|token|session)\s*[=:]\s*)[^\s&\"']+", re.IGNORECASE)
LOG_LINES = 60  # of the backend's log, in the diagnostics

Rows = list[tuple[str, str]]  # name and value


def find(saved: str) -> str:
    """The program that serves: the saved one, else one on the PATH; nothing if there is none."""
    if saved and Path(saved).is_file():
        return saved
    return shutil.which(PROGRAM) or ""


def without_secrets(text: str) -> str:
    """The text, with no token and no ticket in it."""
    out = SECRET.sub(r"\1…", text)
    token = place.token()
    return out.replace(token, "…") if token else out


def environment(of_host: Iterable[str]) -> dict[str, str]:
    """The artist's environment, for the backend.

    Args:
        of_host: more variables that the host's package sets for itself alone.
    """
    dropped = {*OF_PYTHON, *of_host}
    if "APPDIR" in os.environ:  # an AppImage: its libraries are not the backend's
        dropped.add("LD_LIBRARY_PATH")
    out = {name: value for name, value in os.environ.items() if name not in dropped}
    return out | {"PYTHONUNBUFFERED": "1", "PYTHONIOENCODING": "utf-8"}


def diagnostics(
    of_host: Rows,
    *,
    line: str,
    url: str,
    welcome: messages.Welcome | None,
    program: str,
    errors: Iterable[str],
    log: Iterable[str],
) -> str:
    """What someone who helps needs to know; no token and no prompt in it.

    Args:
        of_host: the plugin's and the host's versions.
        line: how the line to the backend stands, and what is wrong with it.
        url: where the backend is; nothing if nobody knows.
        welcome: what the backend said of itself.
        program: the `limner` that would be started.
        errors: of the line, the newest last.
        log: of the backend, if it was started from the host.
    """
    rows = [
        *of_host,
        ("Python", sys.version.split()[0]),
        ("System", f"{platform.system()} {platform.release()} {platform.machine()}"),
        ("Protocol", str(messages.PROTOCOL)),
        ("Data folder", str(place.data_folder())),
        ("Key file", "there" if place.token() else "none"),
        ("Backend at", url or "nowhere"),
        ("Backend", welcome.server if welcome else "not heard"),
        ("Devices", ", ".join(welcome.devices) if welcome else ""),
        ("Models", ", ".join(str(x.get("name")) for x in welcome.models) if welcome else ""),
        ("Line", line),
        ("Program", program or "not found"),
    ]
    lines = [f"{name}: {value}" for name, value in rows]
    lines += ["", "Last errors:", *(list(errors) or ["none"])]
    lines += ["", "Backend's log:", *(list(log)[-LOG_LINES:] or ["not started from here"])]
    return without_secrets("\n".join(lines))
