"""What the plugin may import, and in which Python it is written."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

PLUGIN = Path(__file__).parents[2] / "krita_plugin" / "limner_krita"
FILES = sorted(PLUGIN.glob("*.py"))
OF_KRITA = {  # may touch Krita: what is registered, and what reads and writes the document
    "__init__", "extension", "document", "opened", "colour", "snapshot", "apply", "masks",
    "preview_layer", "layer_svg", "turns",
}  # fmt: skip
WITHOUT_QT = {"settings", "vendored", "version"}
UNSCOPED = re.compile(  # Qt's enums as only PyQt5 understands them
    r"(?<!\.)\bQt\.(Align(?!ment)|Key_|Horizontal|Vertical|Keep|Smooth|RoundCap|Left|Right|Wait|WA_|UserRole)"
    r"|QImage\.Format_|QPainter\.(Anti|Smooth)|\.exec_\("
)


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where things come from"
            yield node.module or ""


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_module_imports_what_krita_has_and_what_is_carried_alone(path: Path) -> None:
    for name in imports(path):
        root = name.split(".")[0]
        is_host = root == "krita" and path.stem in OF_KRITA
        is_qt = root in ("PyQt5", "PyQt6", "pykrita") and path.stem == "qt"
        ours = root in ("limner_krita", "limner_front", "limner_wire")
        assert root in sys.stdlib_module_names or is_host or is_qt or ours, name


@pytest.mark.parametrize("name", sorted(WITHOUT_QT))
def test_what_is_pure_imports_no_qt(name: str) -> None:
    assert "limner_krita.qt" not in set(imports(PLUGIN / f"{name}.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_it_is_python_3_10_for_either_qt(path: Path) -> None:
    text = path.read_text("utf-8")
    ast.parse(text, feature_version=(3, 10))
    assert "StrEnum" not in text and not UNSCOPED.search(text)
