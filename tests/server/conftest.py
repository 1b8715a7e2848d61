from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where a backend's token and history lie, for it and for its front ends."""
    monkeypatch.setenv("LIMNER_DATA", str(tmp_path))
    return tmp_path
