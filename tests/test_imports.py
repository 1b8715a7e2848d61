"""The import rules of the house (README, "How it is built"), read from the source."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
BACKEND, WIRE = ROOT / "backend" / "limner", ROOT / "shared" / "limner_wire"
COMPUTING = {"torch", "torchvision", "open_clip", "numba", "limner.methods", "limner.worker"}
WIRE_MODULES = {"zmq", "websockets", "limner.server", "limner.jobs", "limner.engine"}


def imports(path: Path) -> Iterator[str]:
    """Every module that a file imports, anywhere in it, by its full name."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
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


def test_the_wire_needs_the_standard_library_alone() -> None:
    for path in files(WIRE):
        for name in imports(path):
            root = name.split(".")[0]
            assert root in sys.stdlib_module_names or root == "limner_wire", f"{path}: {name}"


def test_the_wire_is_python_3_10() -> None:
    for path in files(WIRE):
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
    every = {module_name(path): path for root in (BACKEND, WIRE) for path in files(root)}
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
    root = BACKEND if path.is_relative_to(BACKEND) else WIRE
    parts = path.relative_to(root.parent).with_suffix("").parts
    return ".".join(parts).removesuffix(".__init__")


def test_no_import_cycles() -> None:
    modules = {module_name(path): path for root in (BACKEND, WIRE) for path in files(root)}
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
