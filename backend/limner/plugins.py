"""The plugins as the programs they go into want them: `limner-krita.zip`, `limner-blender.zip`.

A plugin runs on its host's Python, which has none of our packages: so it carries `limner_wire`,
`limner_front` and the pure-Python `websockets` 16. Krita's importer finds a plugin by its folder's
own entry in the archive, which `zipfile` does not write by itself, and takes packages inside it;
Blender takes wheels, which its manifest names one by one. The same sources give the same bytes.

    python -m limner.plugins [FOLDER]     builds them; a wheel built afterwards carries them
"""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import tomllib

from limner import wheels
from limner_wire.errors import ErrorCode, LimnerError

HERE = Path(__file__).parent
ROOT = HERE.parent.parent  # of the source tree, where there is one
BUILT = HERE / "plugins"  # as a wheel carries them
KRITA, BLENDER = "limner-krita.zip", "limner-blender.zip"
WIRE, FRONT = "limner_wire", "limner_front"  # what plugins carry of ours, below `shared`
MANIFEST = "blender_manifest.toml"
LEFT_OUT = ("__pycache__", "py.typed", "speedups.c", "speedups.pyi")

Files = dict[str, bytes]  # path in the archive -> what is in it


def krita() -> bytes:
    """The archive for Krita: built from the source tree, or the one that the wheel carries.

    Raises:
        LimnerError: UNREADABLE if there is neither, or `websockets` can't be had.
    """
    return _built_or_carried("Krita", KRITA, ROOT / "krita_plugin", _krita_files)


def blender() -> bytes:
    """The extension for Blender; otherwise as `krita`."""
    source = ROOT / "blender_addon" / "limner_blender"
    return _built_or_carried("Blender", BLENDER, source, _blender_files)


def archive(files: Files) -> bytes:
    """A zip of the files, with an entry for each folder before what is in it."""
    folders = {f"{parent}/": b"" for name in files for parent in _parents(name)}
    return wheels.zipped(folders | files)


def _built_or_carried(
    host: str, name: str, source: Path, collect: Callable[[Path], Files]
) -> bytes:
    if source.is_dir():
        return archive(collect(source))
    try:
        return (BUILT / name).read_bytes()
    except OSError as problem:
        raise LimnerError(
            ErrorCode.UNREADABLE,
            f"This copy of Limner carries no plugin for {host}.",
            "Install it from its repository: make plugins, then pip install .",
        ) from problem


def _krita_files(source: Path) -> Files:
    inside = "limner_krita"
    files = {path.name: path.read_bytes() for path in source.iterdir() if path.is_file()}
    files |= dict(_under(source / inside, inside))
    files = {name: data for name, data in files.items() if "/vendor/" not in name}
    vendored = _ours(WIRE) | _ours(FRONT) | _websockets()
    files |= {f"{inside}/vendor/{name}": data for name, data in vendored.items()}
    return files | {f"{inside}/vendor/__init__.py": b""}


def _blender_files(source: Path) -> Files:
    files = {name.removeprefix("/"): data for name, data in _under(source, "")}
    licence = (ROOT / "LICENSE").read_bytes()
    carried = {f"wheels/{name}": data for name, data in _wheels(licence).items()}
    named = "".join(f'    "./{name}",\n' for name in sorted(carried))
    manifest = f"wheels = [\n{named}]\n".encode() + files[MANIFEST]
    return files | carried | {MANIFEST: manifest, "LICENSE": licence}


def _wheels(licence: bytes) -> Files:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    version = str(project["project"]["version"])
    websockets = wheels.websockets()
    return {
        websockets.name: websockets.read_bytes(),
        **wheels.built(WIRE, version, _ours(WIRE), licence),
        **wheels.built(FRONT, version, _ours(FRONT), licence, [f"{WIRE}=={version}"]),
    }


def _ours(name: str) -> Files:
    """The files of a package of ours, below its name."""
    return dict(_under(ROOT / "shared" / name, name))


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
    with zipfile.ZipFile(wheels.websockets()) as wheel:
        names = [n for n in wheel.namelist() if Path(n).name not in LEFT_OUT]
        files = {n: wheel.read(n) for n in names if n.startswith("websockets/")}
        licence = next(n for n in names if n.endswith("/LICENSE"))
        return {n: d for n, d in files.items() if not n.endswith("/")} | {
            "websockets/LICENSE": wheel.read(licence)
        }


def main() -> None:
    """Build every plugin: for people into `dist`, and into the package for a wheel."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else ROOT / "dist"
    for name, data in ((KRITA, krita()), (BLENDER, blender())):
        for place in (folder, BUILT):
            place.mkdir(parents=True, exist_ok=True)
            (place / name).write_bytes(data)
        print(f"{folder / name}: {len(data) / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
