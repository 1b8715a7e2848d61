"""The plugins as the programs they go into want them: `limner-krita.zip`.

A plugin runs on its host's Python, which has none of our packages: so it carries `limner_wire`, and
the pure-Python `websockets` 16 (17 needs a newer Python than some hosts have). Krita's importer
finds a plugin by its folder's own entry in the archive, which `zipfile` does not write by itself.
The same sources give the same bytes.

    python -m limner.plugins [FOLDER]     builds them; a wheel built afterwards carries them
"""

from __future__ import annotations

import io
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

from limner_wire.errors import ErrorCode, LimnerError

HERE = Path(__file__).parent
ROOT = HERE.parent.parent  # of the source tree, where there is one
BUILT = HERE / "plugins"  # as a wheel carries them
KRITA = "limner-krita.zip"
CACHE = ROOT / ".cache" / "wheels"
WEBSOCKETS = "websockets>=16,<17"
LONG_AGO = (1980, 1, 1, 0, 0, 0)  # a zip's earliest time, in place of each file's own
LEFT_OUT = ("__pycache__", "py.typed", "speedups.c", "speedups.pyi")

Files = dict[str, bytes]  # path in the archive -> what is in it


def krita() -> bytes:
    """The archive for Krita: built from the source tree, or the one that the wheel carries.

    Raises:
        LimnerError: UNREADABLE if there is neither, or `websockets` can't be had.
    """
    source = ROOT / "krita_plugin"
    if source.is_dir():
        return archive(_krita_files(source))
    try:
        return (BUILT / KRITA).read_bytes()
    except OSError as problem:
        raise LimnerError(
            ErrorCode.UNREADABLE,
            "This copy of Limner carries no plugin for Krita.",
            "Install it from its repository: make plugins, then pip install .",
        ) from problem


def archive(files: Files) -> bytes:
    """A zip of the files, with an entry for each folder before what is in it."""
    folders = {f"{parent}/" for name in files for parent in _parents(name)}
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name in sorted([*folders, *files]):
            entry = zipfile.ZipInfo(name, LONG_AGO)
            entry.external_attr = 0o40755 << 16 | 0x10 if name.endswith("/") else 0o100644 << 16
            entry.compress_type = zipfile.ZIP_DEFLATED
            zipped.writestr(entry, files.get(name, b""))
    return out.getvalue()


def vendored() -> Files:
    """The packages that every plugin carries, each under its own name."""
    return dict(_under(ROOT / "shared" / "limner_wire", "limner_wire")) | _websockets()


def _krita_files(source: Path) -> Files:
    inside = "limner_krita"
    files = {path.name: path.read_bytes() for path in source.iterdir() if path.is_file()}
    files |= dict(_under(source / inside, inside))
    files = {name: data for name, data in files.items() if "/vendor/" not in name}
    files |= {f"{inside}/vendor/{name}": data for name, data in vendored().items()}
    return files | {f"{inside}/vendor/__init__.py": b""}


def _under(folder: Path, name: str) -> Iterator[tuple[str, bytes]]:
    """The files of a folder, as paths below `name`."""
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not set(path.relative_to(folder).parts) & set(LEFT_OUT):
            yield f"{name}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _parents(name: str) -> Iterator[str]:
    parts = name.split("/")[:-1]
    return ("/".join(parts[: i + 1]) for i in range(len(parts)))


def _websockets() -> Files:
    """The package's files and its licence, from its wheel."""
    with zipfile.ZipFile(_wheel()) as wheel:
        names = [n for n in wheel.namelist() if Path(n).name not in LEFT_OUT]
        files = {n: wheel.read(n) for n in names if n.startswith("websockets/")}
        licence = next(n for n in names if n.endswith("/LICENSE"))
        return {n: d for n, d in files.items() if not n.endswith("/")} | {
            "websockets/LICENSE": wheel.read(licence)
        }


def _wheel() -> Path:
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


def main() -> None:
    """Build every plugin: for people into `dist`, and into the package for a wheel."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    data = krita()
    for place in (folder, BUILT):
        place.mkdir(parents=True, exist_ok=True)
        (place / KRITA).write_bytes(data)
    print(f"{folder / KRITA}: {len(data) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
