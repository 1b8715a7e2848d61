from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
import torch

from limner.methods.base import Models
from limner.models import clip


@pytest.fixture(scope="session")
def starter() -> Models:
    """The starter CLIP that ships with Limner."""
    return Models(clip.load(["starter"], torch.device("cpu")))


# --- `--table`: what became of the attack cases (test_aNN_…) and the faults (test_fNN_…) ----------

CASE = re.compile(r"test_([af]\d\d)_")
WHAT = pytest.StashKey[dict[str, str]]()
WIDTH = 104


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--table", action="store_true", help="print a table of the numbered cases")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps what each case is about: the first line of its first test's docstring."""
    what = config.stash.setdefault(WHAT, {})
    for item in items:
        text = getattr(getattr(item, "function", None), "__doc__", None) or ""
        if (found := CASE.match(item.name)) and text:
            what.setdefault(found[1].upper(), text.strip().splitlines()[0])


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not terminalreporter.config.getoption("--table"):
        return
    results: dict[str, set[str]] = {}
    for kind, case in _reported(terminalreporter):
        results.setdefault(case, set()).add(kind)
    what = terminalreporter.config.stash.get(WHAT, {})
    terminalreporter.section("cases")
    terminalreporter.write_line(f"case | {'what':{WIDTH}} | result")
    for case, kinds in sorted(results.items()):
        bad = kinds & {"failed", "error"}
        result = "FAILED" if bad else "passed" if "passed" in kinds else "skipped"
        terminalreporter.write_line(f"{case:4} | {what.get(case, ''):{WIDTH}} | {result}")


def _reported(terminalreporter: pytest.TerminalReporter) -> Iterator[tuple[str, str]]:
    for kind in ("passed", "failed", "error", "skipped"):
        for report in terminalreporter.stats.get(kind, []):
            if found := CASE.match(report.nodeid.rpartition("::")[2]):
                yield kind, found[1].upper()
