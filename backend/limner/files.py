"""Files at the edge: read one within a bound, ask whether one can be written, write one whole.

It does not know what is in a file: pictures and SVG are read elsewhere. Messages name a file as
its last part only, so that no folder of the server is told to a client.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from pathlib import Path

from limner_wire.errors import ErrorCode, LimnerError


def shown(path: str | Path) -> str:
    """The last part of a path as it may stand in a message: one line, at most 80 characters."""
    name = "".join(c if c.isprintable() else "�" for c in Path(path).name)
    return name[:79] + "…" if len(name) > 80 else name or "the path"


def read_bounded(path: str | Path, limit_bytes: int) -> bytes:
    """The content of a regular file of at most `limit_bytes` bytes.

    Raises:
        LimnerError: UNREADABLE if it is missing, a folder, a device or pipe (which could block or
            never end), larger than the limit, or refused by the system.
    """
    name = shown(path)
    try:
        if not stat.S_ISREG(Path(path).stat().st_mode):
            raise unreadable(f"{name} is not a file.", "Name a file, not a folder or device.")
        with Path(path).open("rb") as file:
            data = file.read(limit_bytes + 1)
    except FileNotFoundError:
        raise unreadable(f"There is no file {name}.", "Check the name and the folder.") from None
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise unreadable(f"{name} can't be opened: {_reason(error)}.") from None
    if len(data) > limit_bytes:
        size_mib = limit_bytes / 2**20
        raise unreadable(f"{name} is larger than {size_mib:g} MiB.", "Give a smaller file.")
    return data


def check_writable(path: str | Path) -> None:
    """Pass if a result can be written to `path`; ask it before hours of work, not after.

    The permission bits do not tell (root passes them all, /proc and a read-only disk pass
    too), so it makes and removes an empty file in the nearest folder that exists. It makes no
    folder and leaves nothing behind.

    Raises:
        LimnerError: UNWRITABLE if the path is a folder, a device or a read-only file, if a part
            of it is a file, or if the nearest folder that exists takes no new file.
    """
    name = shown(path)
    try:
        target = _real(path)
        if target.is_dir():
            raise _unwritable(f"{name} is a folder.", "Add a file name.")
        if target.exists() and not (target.is_file() and os.access(target, os.W_OK)):
            raise _unwritable(f"{name} is read-only or not a file.", "Choose another name.")
        folder = target.parent
        while not folder.exists():
            folder = folder.parent
        if not folder.is_dir():
            why = f"{name} can't be written: {shown(folder)} is a file, not a folder."
            raise _unwritable(why)
        probe = _open_part(folder)
        probe[1].unlink()
        os.close(probe[0])
    except (OSError, ValueError) as error:
        raise _unwritable(f"{name} can't be written there: {_reason(error)}.") from None


def svg_and_png(out: Path) -> tuple[Path, Path]:
    """The SVG and the PNG that go with a name; asks for both whether they can be written.

    Raises:
        LimnerError: UNWRITABLE.
    """
    stem = out.with_suffix("") if out.suffix.lower() in (".svg", ".png") else out
    both = stem.with_name(stem.name + ".svg"), stem.with_name(stem.name + ".png")
    for path in both:
        check_writable(path)
    return both


def write_atomic(path: str | Path, data: bytes) -> None:
    """Write `data` to `path` so that a reader sees the old file or the new one, never a part.

    Missing folders are made. A link is followed, so the file it names is replaced, not the link.

    Raises:
        LimnerError: UNWRITABLE, with the old file untouched and no part of the new one left.
    """
    try:
        target = _real(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, data)
    except (OSError, ValueError) as error:
        raise _unwritable(f"{shown(path)} can't be written: {_reason(error)}.") from None


def _replace(target: Path, data: bytes) -> None:
    handle, part = _open_part(target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())  # a power cut after the rename must not leave an empty file
        part.replace(target)
    except BaseException:
        with contextlib.suppress(OSError):
            part.unlink()
        raise


def _open_part(folder: Path) -> tuple[int, Path]:
    """A new empty file in `folder`: its handle and path.

    Not tempfile.mkstemp, which makes it private: a result gets the rights that the user's umask
    gives to every file.
    """
    part = folder / f".limner-{secrets.token_hex(8)}.part"
    flags = os.O_CREAT | os.O_EXCL | os.O_WRONLY | getattr(os, "O_BINARY", 0)
    return os.open(part, flags, 0o666), part


def _real(path: str | Path) -> Path:
    if not Path(path).name:
        raise _unwritable("The path is empty or a folder.", "Add a file name.")
    return Path(os.path.realpath(path))


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or "the name is not valid").lower()


def unreadable(message: str, hint: str = "") -> LimnerError:
    """A LimnerError with the code UNREADABLE."""
    return LimnerError(ErrorCode.UNREADABLE, message, hint)


def _unwritable(message: str, hint: str = "Choose another folder.") -> LimnerError:
    return LimnerError(ErrorCode.UNWRITABLE, message, hint)
