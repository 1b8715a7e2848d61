"""The page in a real Chromium, against a real `limner serve`: pictures that are imagined.

The networks are small ones that nobody trained.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from chromium_host import (
    NEAR,
    SCREENSHOTS,
    Page,
    bring,
    changed,
    changed_while_it_runs,
    choose,
    drag,
    draw,
    expect,
    paper,
    saved,
    serving,
    settled,
    state,
    step,
    told,
)
from PIL import Image
from sheets import CENTRE, SIZE

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import imaginations

FAR = 40  # levels


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command that makes links to a backend which has a small unCLIP."""
    models = tmp_path_factory.mktemp("models")
    imaginations.install(models)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(models))
        with serving(tmp_path_factory.mktemp("data")) as command:
            yield command


def test_the_methods_of_a_family_stand_together(page: Page) -> None:
    """Three families; each remembers where one was, and is reached by the arrow keys."""
    families = page.locator("#families").get_by_role("tab")
    expect(families).to_have_text(["Drawing", "Editing", "Imagining"])
    choose(page, "Blend pictures")
    methods = page.locator("#methods").get_by_role("tab")
    expect(methods).to_have_count(5)
    families.first.click()
    expect(methods).to_have_count(4)
    page.keyboard.press("ArrowLeft")
    expect(families.last).to_be_focused()
    chosen = page.locator("#methods [aria-selected=true]")
    expect(chosen).to_have_text("Blend pictures")
    page.reload()
    expect(chosen).to_have_text("Blend pictures")


def test_a_picture_is_imagined_live_and_kept(page: Page) -> None:
    """It forms out of noise, is held, goes on, and is painted anew by its slider."""
    choose(page, "Imagine")
    draw(page, "a red apple", Steps=80)
    state(page, "Drawing")
    assert len({changed_while_it_runs(page) for _ in range(3)}) == 3
    page.get_by_role("button", name="Pause").click()
    state(page, "Paused")
    held, at = settled(page), step(page)
    page.get_by_role("button", name="Go on", exact=True).click()
    assert changed_while_it_runs(page) != held
    state(page, "Ready to keep")
    assert 0 < at < step(page) == 25 + 80 + 8  # the prior's, the decoder's, the upsampler's
    before = settled(page)
    drag(page, "guidance", [0.15, 0.6])
    changed(page, before)
    state(page, "Ready to keep")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "imagine.png")
    shown = paper(page, (224, 224))
    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")
    assert np.abs(paper(page, (224, 224)) - shown).mean() < NEAR  # enlarged now
    assert told(page)["guidance"] > 3
    with Image.open(saved(page)) as picture:
        assert picture.size[0] == picture.size[1]


def test_only_where_a_mask_is_white(page: Page, portrait: Path, tmp_path: Path) -> None:
    """All else is as it was, to the last bit."""
    choose(page, "Imagine")
    mask = np.zeros((SIZE[1], SIZE[0]), np.uint8)
    mask[60:120, 90:150] = 255
    Image.fromarray(mask).save(tmp_path / "mask.png")
    bring(page, portrait, at='.zone[data-role="picture"]')
    expect(page.locator('.zone.given[data-role="picture"]')).to_be_visible()
    bring(page, tmp_path / "mask.png", at='.zone[data-role="mask"]')
    expect(page.locator('.zone.given[data-role="mask"]')).to_be_visible()
    draw(page, "a green leaf", Steps=20)
    state(page, "Ready to keep")
    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")
    before = np.asarray(Image.open(portrait).convert("RGB"))
    with Image.open(saved(page)) as picture:
        after = np.asarray(picture.convert("RGB"))
    assert np.array_equal(after[mask == 0], before[mask == 0])
    assert not np.array_equal(after[mask > 0], before[mask > 0])


def test_two_pictures_are_blended_and_a_third_finds_its_place(
    page: Page, portrait: Path, tmp_path: Path
) -> None:
    """Each end of the way is its picture."""
    choose(page, "Blend pictures")
    Image.new("RGB", SIZE, (20, 60, 200)).save(tmp_path / "blue.png")
    bring(page, portrait)
    expect(page.locator("#needs")).to_have_text("Give it a picture first: “Blend with”.")
    bring(page, tmp_path / "blue.png")
    third = page.locator('.zone[data-role="other2"]')
    expect(third).to_be_visible()
    expect(page.locator("#setting-second")).to_be_hidden()
    page.locator("#draw").click()
    state(page, "Ready to keep")
    before = settled(page)
    drag(page, "at", [0.5, 1.0])
    changed(page, before)
    state(page, "Ready to keep")
    page.screenshot(path=SCREENSHOTS / "blend.png")
    blue = middle(page)
    assert np.abs(blue - (20, 60, 200)).mean() < FAR
    before = settled(page)
    drag(page, "at", [0.98, 0.0])
    changed(page, before)
    own = np.asarray(Image.open(portrait).convert("RGB").crop(CENTRE), float).mean((0, 1))
    assert np.abs(middle(page) - own).mean() < FAR < np.abs(blue - own).mean()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Throw away").click()
    expect(third.locator(".pick")).to_be_enabled()  # once it is thrown away
    bring(page, portrait)
    expect(page.locator("#setting-second")).to_be_visible()


def middle(page: Page) -> np.ndarray:
    """(3,), the mean of what is painted in the middle of the paper, in levels."""
    left, top, right, bottom = (side // 10 for side in CENTRE)
    across, down = (round(side / 10) - 2 for side in SIZE)
    seen = paper(page).reshape(down, across, 4)[..., :3]
    return np.asarray(seen[top : bottom - 1, left : right - 1].mean((0, 1)))
