"""The page in a real Chromium, against a real `limner serve` with a method of the user's own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from chromium_host import (
    DRAWN,
    SCREENSHOTS,
    Page,
    bring,
    choose,
    expect,
    serving,
    state,
)
from PIL import Image

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command that makes links to a backend which has the documentation's example."""
    with serving(tmp_path_factory.mktemp("data"), LIMNER_METHODS=str(DOCS)) as command:
        yield command


def test_its_form_is_there_and_draws(page: Page, tmp_path: Path) -> None:
    Image.radial_gradient("L").resize((240, 180)).save(tmp_path / "round.png")
    choose(page, "Halftone")
    expect(page.locator("#about")).to_have_text("A picture as rows of dots, the darker the larger.")
    expect(page.locator("#needs")).to_have_text("Give it a picture first: “Begin from”.")
    bring(page, tmp_path / "round.png")
    page.get_by_label("Rows", exact=True).first.fill("30")
    page.locator("#draw").click()
    state(page, "Done")
    expect(page.locator("#tray .figures")).to_contain_text("step 30")
    assert page.evaluate(DRAWN) > 1_000_000, "dots are strokes that go nowhere, and are seen"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "own.png")
