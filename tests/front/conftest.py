"""What the tests of the plugins' common part share."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the token and the plugins' memories lie."""
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path))
    return tmp_path
