"""The page in a real Chromium, against a real `limner serve`: a generator learns a domain.

The generator is a small one that nobody trained; what it becomes must paint like any other.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from chromium_host import (
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
    settled,
    state,
    step,
    told,
)
from PIL import Image
from sheets import CENTRE, OTHER, SAME, SIZE, apart, kept, sheet

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios

SQUARE = (224, 224)  # the canvas when no picture is given
SMALL = (slice(0, 5), slice(2, 8))  # the first of a sheet on paper of SIZE, as `seen` sees it


def learn(page: Page, prompt: str, **settings: float) -> None:
    """Ask for a domain, and so fast that the difference is seen."""
    choose(page, "A new domain")
    page.locator("#setting-source").fill("a blue sea")
    if not page.locator("#rest").is_visible():
        page.click("#more > summary")
    draw(page, prompt, Rate=0.02, **settings)


def slide(page: Page, name: str, value: float) -> None:
    """Type what a slider should be, and wait for the sheet to follow."""
    before = settled(page)
    page.locator(f"#setting-{name}").fill(str(value))
    page.press(f"#setting-{name}", "Enter")
    changed(page, before)


def seen(page: Page, size: tuple[int, int]) -> np.ndarray:
    """(H, W, 3) of what lies on the paper but for its rim, a tenth as large."""
    across, down = (round(side / 10) - 2 for side in size)
    return paper(page, size).reshape(down, across, 4)[..., :3]


def as_seen(picture: Image.Image) -> np.ndarray:
    """The same of a picture."""
    wide, high = picture.size
    return np.asarray(picture.resize((round(wide / 10), round(high / 10))))[1:-1, 1:-1]


def test_a_domain_is_learnt_live_and_its_generator_kept(page: Page, tmp_path: Path) -> None:
    """The sheet changes with every frame, slides back to what it was, and becomes a model."""
    choose(page, "A new domain")
    expect(page.locator("#draw")).to_be_enabled()  # without any picture
    learn(page, "a red apple", Steps=80)
    state(page, "Drawing")
    assert len({changed_while_it_runs(page) for _ in range(4)}) == 4
    page.get_by_role("button", name="Pause").click()
    state(page, "Paused")
    held = settled(page)
    assert 0 < step(page) < 80
    page.get_by_role("button", name="Go on", exact=True).click()
    assert changed_while_it_runs(page) != held
    state(page, "Ready to keep")
    assert step(page) == 80
    learned = seen(page, SQUARE)
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "domain.png")

    before, was = settled(page), as_seen(sheet(studios.NAME, SQUARE))
    drag(page, "amount", [0.6, 0.0])
    changed(page, before)
    expect(page.locator("#setting-amount")).to_have_value("0")
    assert apart(seen(page, SQUARE), was) < SAME
    slide(page, "amount", 100)
    assert apart(seen(page, SQUARE), learned) < 1
    assert apart(learned, was) > OTHER
    slide(page, "keep_px", 1024)  # every layer
    assert apart(seen(page, SQUARE), was) < SAME
    slide(page, "keep_px", 0)

    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")
    name = "small-a-red-apple"
    expect(page.locator("#tray .notices")).to_contain_text(f"The generator is kept as {name}")
    assert kept(name, studios.NAME, tmp_path, at=(0, 0)).card["steps"] == 80
    assert apart(as_seen(sheet(name, SQUARE)), learned) < SAME
    with Image.open(saved(page)) as picture:
        assert apart(as_seen(picture.convert("RGB").resize(SQUARE)), learned) < SAME


def test_the_artists_own_picture_goes_along_and_what_is_kept_edits_at_once(
    page: Page, portrait: Path, tmp_path: Path
) -> None:
    """It is the sheet's first, and what is left of it; the form of edits takes the new name."""
    choose(page, "A new domain")
    bring(page, portrait)
    expect(page.locator("#canvas-0")).to_have_attribute("placeholder", str(SIZE[0]))
    page.click("#more > summary")
    page.locator("#setting-called").fill("leaves")
    learn(page, "a green leaf", Steps=60, Fit=40)
    state(page, "Ready to keep")
    page.screenshot(path=SCREENSHOTS / "domain-own.png")
    own = Image.open(portrait).convert("RGB")
    small = np.asarray(own.crop(CENTRE).resize((6, 6)))[1:]
    learned = seen(page, SIZE)[SMALL]
    slide(page, "amount", 0)
    assert apart(seen(page, SIZE)[SMALL], small) < OTHER < apart(learned, small)
    slide(page, "amount", 100)
    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")
    with Image.open(saved(page)) as picture:
        assert picture.size == SIZE
        assert apart(seen(page, SIZE), as_seen(picture.convert("RGB"))) < SAME
        assert apart(own, picture.convert("RGB")) > SAME
    kept("leaves", studios.NAME, tmp_path, at=(8 + 16, 0))  # behind the artist's own

    choose(page, "Edit along a direction")
    bring(page, portrait)
    field = page.locator("#setting-generator")
    offered = page.locator(f"#{field.get_attribute('list')} option")
    names = [option.get_attribute("value") for option in offered.all()]
    assert {studios.NAME, "portraits-64"} <= set(names)
    field.fill("leaves")
    draw(page, "a red apple", Steps=20)
    state(page, "Ready to keep")
    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")
    assert told(page)["generator"] == "leaves"
