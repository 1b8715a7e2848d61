"""Published unCLIPs, written once for all tests of them."""

from __future__ import annotations

from pathlib import Path

import pytest
import unclip_folders as folders

from limner.models import store


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All folders, by the names of their functions."""
    place = tmp_path_factory.mktemp("published")
    folders.write_karlo(place / "karlo")
    folders.write_variations(place / "karlo-variations")
    folders.write_kandinsky_prior(place / "kandinsky-prior")
    folders.write_kandinsky_decoder(place / "kandinsky-decoder")
    folders.write_stable_with_prior(place / "stable-prior")
    folders.write_stable(place / "stable")
    return place


@pytest.fixture(scope="session")
def shelf(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with all three families."""
    place = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(place))
        for name, first, second in (
            ("karlo", "karlo", "karlo-variations"),
            ("kandinsky", "kandinsky-prior", "kandinsky-decoder"),
            ("stable", "stable-prior", "stable"),
        ):
            store.add(published / first, name, None)
            store.add(published / second, name, None)
    return place


@pytest.fixture
def models(shelf: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_MODELS", str(shelf))
    return shelf


@pytest.fixture
def empty(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path / "models"))
    return tmp_path / "models"
