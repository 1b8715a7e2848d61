"""The import rules of the house (README, "How it is built"), read from the source."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BACKEND, WIRE = ROOT / "backend" / "limner", ROOT / "shared" / "limner_wire"
FRONT, BLENDER = ROOT / "shared" / "limner_front", ROOT / "blender_addon" / "limner_blender"
HOUSES = (BACKEND, WIRE, FRONT)
COMPUTING = {"torch", "torchvision", "open_clip", "numba", "limner.methods", "limner.worker"}
WIRE_MODULES = {"zmq", "websockets", "limner.server", "limner.jobs", "limner.engine"}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, by its full name.

    Blender gives an extension's package a name of its own choice, so inside it they are relative.
    """
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and path.is_relative_to(BLENDER) and node.level:
            assert node.level == 1, f"{path}: {BLENDER.name} is one flat package"
            inside = f"{BLENDER.name}.{node.module}" if node.module else BLENDER.name
            yield inside
            yield from (f"{inside}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where things come from"
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def within(name: str, roots: set[str]) -> bool:
    return any(name == root or name.startswith(root + ".") for root in roots)


def files(*folders: Path) -> list[Path]:
    found = [path for folder in folders for path in sorted(folder.rglob("*.py"))]
    assert found, f"no files in {folders}"
    return found


@pytest.mark.parametrize(
    ("room", "besides"),
    [
        (WIRE, {"limner_wire"}),
        (FRONT, {"limner_wire", "limner_front"}),
        (BLENDER, {"bpy", "blf", "gpu", "mathutils", "numpy", "websockets", "limner_wire",
                   "limner_front", "limner_blender"}),
    ],
    ids=lambda value: value.name if isinstance(value, Path) else "",
)  # fmt: skip
def test_what_goes_into_other_programs_needs_the_standard_library_and_little_else(
    room: Path, besides: set[str]
) -> None:
    for path in files(room):
        for name in imports(path):
            root = name.split(".")[0]
            assert root in sys.stdlib_module_names or root in besides, f"{path}: {name}"


@pytest.mark.parametrize("name", ["net", "starter", "strokes"])
def test_what_runs_without_blender_knows_no_blender(name: str) -> None:
    """These import nothing of Blender's, nor does any of the extension's that they import."""
    todo, seen = [name], set()
    while todo:
        seen.add(module := todo.pop())
        for other in imports(BLENDER / f"{module}.py"):
            assert not within(other, {"bpy", "blf", "gpu", "mathutils"}), f"{module}: {other}"
            inside = other.removeprefix(f"{BLENDER.name}.")
            is_ours = inside != other and (BLENDER / f"{inside}.py").is_file()
            todo += [inside] if is_ours and inside not in seen else []


def test_what_goes_into_other_programs_is_python_3_10() -> None:
    for path in files(WIRE, FRONT):
        ast.parse(path.read_text("utf-8"), feature_version=(3, 10))
        assert "StrEnum" not in path.read_text("utf-8"), "enum.StrEnum came with 3.11"


@pytest.mark.parametrize("room", ["methods", "losses", "vector", "models"])
def test_what_draws_knows_no_server(room: str) -> None:
    for path in files(BACKEND / room):
        for name in imports(path):
            assert not within(name, WIRE_MODULES), f"{path}: {name}"


@pytest.mark.parametrize("room", ["server", "jobs", "engine/base", "engine/zeromq", "client"])
def test_the_server_does_not_wait_for_torch(room: str) -> None:
    """What the server imports, and what that imports, and so on: none of it computes."""
    every = {module_name(path): path for root in HOUSES for path in files(root)}
    start = "limner." + room.replace("/", ".")
    todo = [name for name in every if name == start or name.startswith(start + ".")]
    seen: set[str] = set()
    assert todo
    while todo:
        name = todo.pop()
        seen.add(name)
        for other in imports(every[name]):
            assert not within(other, COMPUTING), f"{name} imports {other}"
            todo += [other] if other in every and other not in seen else []


def module_name(path: Path) -> str:
    root = next(root for root in HOUSES if path.is_relative_to(root))
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def test_no_import_cycles() -> None:
    modules = {module_name(path): path for root in HOUSES for path in files(root)}
    edges = {
        name: {n for n in top_level_imports(path) if n in modules and n != name}
        for name, path in modules.items()
    }
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"import cycle: {' → '.join([*trail, name])}"
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in sorted(modules):
        visit(name, ())


def top_level_imports(path: Path) -> Iterator[str]:
    """What importing the file imports at once: not what its functions import when called."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
