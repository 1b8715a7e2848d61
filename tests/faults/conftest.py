from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from processes import SABOTAGED, Serving, data_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a backend's token and history lie, for it and for its front ends."""
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path))
    return tmp_path


@pytest.fixture(scope="session")
def _serving(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """A worker takes seconds to start: tests share it, and leave it as they found it."""
    serving = Serving(tmp_path_factory.mktemp("serving"))
    with data_folder(serving.folder):
        serving.start()
    yield serving
    serving.stop()


@pytest.fixture
def serving(_serving: Serving) -> Iterator[Serving]:
    """`limner serve` with a real worker and the starter."""
    with data_folder(_serving.folder):
        yield _serving


@pytest.fixture(scope="module")
def sabotaged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Serving]:
    """The same, whose worker fails in the ways that `sabotage` knows when a job asks for it."""
    serving = Serving(tmp_path_factory.mktemp("sabotaged"), SABOTAGED)
    with data_folder(serving.folder):
        serving.start()
        yield serving
    serving.stop()
