"""Wheels that a plugin carries: `websockets` from the package index, and our own packages' built.

A host that keeps the wheels of all its plugins in one place (Blender) takes one with the same name
and version for the same wheel, and does not look into it again. So our own have a version that
tells what is in them: "0.1.0+3f9a12bc".
"""

from __future__ import annotations

import base64
import hashlib
import io
import subprocess
import sys
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from limner_wire.errors import ErrorCode, LimnerError

CACHE = Path(__file__).parents[2] / ".cache" / "wheels"
WEBSOCKETS = "websockets>=16,<17"  # 17 needs a newer Python than some hosts have
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a zip's earliest time, in place of each file's own
PYTHON = ">=3.10"  # the oldest that a host brings along

Files = Mapping[str, bytes]  # path in the archive -> what is in it


def zipped(files: Files) -> bytes:
    """A zip of the files, and of the folders whose paths end in a slash, in order of their names.

    The same files give the same bytes.
    """
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o40755 << 16 | 0x10 if name.endswith("/") else 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3  # Unix, wherever it is built
            archive.writestr(entry, files[name])
    return out.getvalue()


def built(
    name: str, version: str, files: Files, licence: bytes, needs: Iterable[str] = ()
) -> Files:
    """A pure-Python wheel of one package (PEP 427, core metadata 2.4).

    Args:
        name: of the package, "limner_wire".
        version: to which a mark of what is in it is added.
        files: those of the package, below its own name.
        licence: the text of the GPL.
        needs: what it depends on.

    Returns:
        The name of the wheel's file, and its bytes.
    """
    mark = hashlib.sha256(zipped(files)).hexdigest()[:8]
    full = f"{name}-{version}+{mark}"
    headers = [
        "Metadata-Version: 2.4",
        f"Name: {name}",
        f"Version: {version}+{mark}",
        "License-Expression: GPL-3.0-or-later",
        "License-File: LICENSE",
        f"Requires-Python: {PYTHON}",
        *(f"Requires-Dist: {other}" for other in needs),
    ]
    tags = ["Wheel-Version: 1.0", "Generator: limner", "Root-Is-Purelib: true", "Tag: py3-none-any"]
    about = f"{full}.dist-info"
    inside = {
        **files,
        f"{about}/METADATA": "".join(f"{line}\n" for line in headers).encode(),
        f"{about}/WHEEL": "".join(f"{line}\n" for line in tags).encode(),
        f"{about}/licenses/LICENSE": licence,
    }
    record = "".join(_row(path, data) for path, data in sorted(inside.items()))
    inside[f"{about}/RECORD"] = f"{record}{about}/RECORD,,\n".encode()
    return {f"{full}-py3-none-any.whl": zipped(inside)}


def websockets() -> Path:
    """The wheel in the cache; fetched from the package index if it is not there yet.

    Raises:
        LimnerError: UNREADABLE if it can't be fetched.
    """
    if found := _cached():
        return found
    CACHE.mkdir(parents=True, exist_ok=True)
    asked = ["--only-binary=:all:", "--platform", "any", "--no-deps", "--quiet"]
    command = [sys.executable, "-m", "pip", "download", *asked, "-d", str(CACHE), WEBSOCKETS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603
    if found := _cached():
        return found
    reason = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
    raise LimnerError(
        ErrorCode.UNREADABLE,
        f"{WEBSOCKETS} can't be fetched: {reason}",
        f"Put its py3-none-any wheel into {CACHE}.",
    )


def _cached() -> Path | None:
    return max(CACHE.glob("websockets-16.*-py3-none-any.whl"), default=None)


def _row(path: str, data: bytes) -> str:
    """A file's line in RECORD."""
    sha256 = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
    return f"{path},sha256={sha256},{len(data)}\n"
