"""The page in a real Chromium, against a real `limner serve` with its real worker: edits.

The generator is a small one that nobody trained. Drawings are in `test_chromium`.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from chromium_host import (
    NEAR,
    PATIENCE_MS,
    SCREENSHOTS,
    Page,
    bring,
    changed,
    changed_while_it_runs,
    choose,
    drag,
    draw,
    expect,
    on_easel,
    paper,
    saved,
    settled,
    state,
    told,
)
from PIL import Image
from sheets import SIZE

THUMBNAIL = """() => {
    const canvas = document.querySelector("#gallery canvas");
    const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
    return [canvas.width, canvas.height, new Set(new Uint32Array(data.buffer)).size];
}"""  # its size, and how many colours it has


def edit(page: Page, portrait: Path, prompt: str, steps: int) -> None:
    """Ask for an edit along a direction that at first goes nowhere."""
    choose(page, "Edit along a direction")
    if not page.locator('.zone.given[data-role="picture"]').count():
        bring(page, portrait)
    expect(page.locator("#draw")).to_be_enabled()
    page.locator("#setting-strength").fill("0")
    draw(page, prompt, Steps=steps)


def test_a_picture_is_edited_live_and_kept(page: Page, portrait: Path, tmp_path: Path) -> None:
    """Frames while it runs, an answer to every move after the last step, then one PNG."""
    choose(page, "Edit along a direction")
    expect(page.locator("#draw")).to_be_disabled()
    expect(page.locator("#needs")).to_have_text("Give it a picture first: “Edit”.")
    expect(page.locator("#lack")).to_be_empty()
    bring(page, portrait)
    expect(page.locator("#canvas-0")).to_have_attribute("placeholder", str(SIZE[0]))
    expect(page.locator("#canvas-1")).to_have_attribute("placeholder", str(SIZE[1]))
    original = settled(page)
    edit(page, portrait, "a red apple", 200)
    state(page, "Drawing")
    changed_once = changed_while_it_runs(page)
    state(page, "Ready to keep")
    assert changed_once != original
    expect(page.locator("#tray .figures")).to_contain_text("until you keep it")
    expect(page.get_by_role("button", name="Go on", exact=True)).to_be_hidden()

    start = settled(page)
    drag(page, "strength", [0.4, 0.95])
    strong = changed(page, start)
    expect(page.locator("#tray .state")).to_have_text("Ready to keep")
    expect(page.locator("#gallery .mark").first).to_have_text("Ready to keep")
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "edit-staying.png")
    compare_with_the_original(page, strong)
    shown = paper(page)

    page.reload()
    state(page, "Ready to keep")
    expect(page.locator('.zone.given[data-role="picture"]')).to_be_visible()
    assert paper(page) == pytest.approx(shown, abs=NEAR)
    page.screenshot(path=SCREENSHOTS / "edit-reloaded.png")
    strong = settled(page)
    drag(page, "strength", [0.95, 0.15])
    changed(page, strong)
    weak = paper(page)
    assert np.abs(weak - shown).max() > 5 * NEAR
    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")
    assert paper(page) == pytest.approx(weak, abs=NEAR)
    what_is_kept(page, tmp_path)
    expect(page.locator("#tray").get_by_role("button", name="Another seed")).to_be_hidden()
    page.screenshot(path=SCREENSHOTS / "edit-kept.png")

    kept = settled(page)
    page.locator(".replay input").fill("0")
    changed(page, kept)
    assert np.abs(paper(page) - weak).max() > 5 * NEAR
    page.get_by_role("button", name="Go on from this").click()
    hint = page.locator('.zone.given[data-role="picture"] .hint')
    expect(hint).to_have_text("“a red apple”")
    edit(page, portrait, "a green leaf", 5)
    state(page, "Ready to keep")
    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")


def compare_with_the_original(page: Page, edited: str) -> None:
    """The button and the key show it as long as they are held, wherever the focus is."""
    box = page.locator("#before").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 5, box["y"] + 5)
    page.mouse.down()
    original = changed(page, edited)
    page.mouse.up()
    assert changed(page, original) == edited
    page.locator(".field:has(#setting-strength) input[type=range]").focus()
    page.keyboard.down("b")
    assert changed(page, edited) == original
    page.keyboard.up("b")
    assert changed(page, original) == edited


def what_is_kept(page: Page, tmp_path: Path) -> None:
    """A PNG that is the server's own, byte for byte; no strokes; a thumbnail."""
    expect(page.get_by_role("link", name="SVG")).to_be_hidden()
    expect(page.get_by_role("button", name="Copy SVG")).to_be_hidden()
    file = saved(page)
    with Image.open(file) as picture:
        assert picture.size == SIZE
    command = [sys.executable, "-m", "limner", "jobs", "export", on_easel(page), "--out"]
    subprocess.run([*command, str(tmp_path / "own.svg")], check=True, capture_output=True)
    assert file.read_bytes() == (tmp_path / "own.png").read_bytes()
    page.wait_for_function(f"() => ({THUMBNAIL})()[2] > 50")
    wide, high, _ = page.evaluate(THUMBNAIL)
    assert wide / high == pytest.approx(SIZE[0] / SIZE[1], abs=0.02)


def test_one_change_is_under_way_at_a_time_and_the_last_one_wins(
    page: Page, portrait: Path
) -> None:
    """However fast the slider moves, a change waits for the answer to the one before."""
    talk: list[str] = []

    def listen(data: str | bytes, kind: str) -> None:
        if isinstance(data, str) and (found := re.match(r'.*?"t":\s*"(adjust(?:ed)?)"', data)):
            talk.append(found[1])

    page.on("websocket", lambda socket: (
        socket.on("framesent", lambda data: listen(data, "sent")),
        socket.on("framereceived", lambda data: listen(data, "heard")),
    ))  # fmt: skip
    page.reload()
    expect(page.locator("#link")).to_have_attribute("data-phase", "ready", timeout=PATIENCE_MS)
    edit(page, portrait, "a red apple", 5)
    state(page, "Ready to keep")
    before = settled(page)
    talk.clear()
    drag(page, "strength", [0.4, 0.9, 0.2, 0.8, 0.6])
    changed(page, before)
    assert talk.count("adjust") > 3
    assert talk == ["adjust", "adjusted"] * (len(talk) // 2)
    value = float(page.locator("#setting-strength").input_value())
    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")
    assert value == told(page)["strength"]


def test_a_change_that_can_not_be_is_told_and_the_next_one_is_answered(
    page: Page, portrait: Path
) -> None:
    edit(page, portrait, "a red apple", 5)
    state(page, "Ready to keep")
    page.locator("#setting-neutral").fill("a red apple")
    page.press("#setting-neutral", "Enter")
    expect(page.locator("#tray .failure")).to_contain_text("mean the same")
    state(page, "Ready to keep")
    before = settled(page)
    page.locator("#setting-neutral").fill("a green pear")
    page.press("#setting-neutral", "Enter")
    expect(page.locator("#tray .failure")).to_have_count(0)
    drag(page, "strength", [0.4, 0.9])
    changed(page, before)


def test_a_drawing_becomes_the_picture_to_edit(page: Page) -> None:
    choose(page, "Draw from words")
    draw(page, "a teapot", Steps=5)
    state(page, "Done")
    choose(page, "Edit along a direction")
    page.get_by_role("button", name="Go on from this").click()
    zone = page.locator('.zone.given[data-role="picture"]')
    expect(zone.locator(".hint")).to_have_text("“a teapot”")
    draw(page, "a red apple", Steps=5)
    state(page, "Ready to keep")
    page.get_by_role("button", name="Cancel").click()
    page.get_by_role("button", name="Throw away").click()


def test_it_makes_way_for_a_drawing_and_a_slider_calls_it_back(page: Page, portrait: Path) -> None:
    edit(page, portrait, "a red apple", 5)
    state(page, "Ready to keep")
    page.get_by_role("button", name="New drawing").click()
    choose(page, "Draw from words")
    draw(page, "a teapot", Steps=5)
    state(page, "Done")
    page.locator("#gallery .open").nth(1).click()
    state(page, "Ready to keep")
    page.get_by_role("button", name="Use its settings").click()
    expect(page.get_by_role("button", name="New drawing")).to_be_visible()
    before = paper(page)
    drag(page, "strength", [0.4, 0.9])
    state(page, "Ready to keep")
    assert np.abs(paper(page) - before).max() > 5 * NEAR
    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")


def test_a_search_needs_no_picture(page: Page) -> None:
    choose(page, "Edit by searching")
    draw(page, "a red apple", Steps=5)
    state(page, "It did not work")
    expect(page.locator("#tray .failure")).to_contain_text("Fitting takes all of 5 steps")
    page.click("#more > summary")
    draw(page, "a red apple", Steps=5, Fit=2)
    state(page, "Ready to keep")
    expect(page.locator("#before")).to_be_hidden()
    page.get_by_role("button", name="Keep this picture").click()
    state(page, "Done")
    expect(page.locator("#tray").get_by_role("button", name="Another seed")).to_be_visible()


def test_without_a_generator_it_says_what_to_do(page: Page) -> None:
    lack = "No generator is here. Add one (limner models add FILE)."

    def changed(text: str) -> str:
        message = json.loads(text)
        for method in message.get("methods", ()):
            method["ready"] = lack if method["stays"] else ""
        return json.dumps(message)

    def between(route: object) -> None:
        server = route.connect_to_server()  # type: ignore[attr-defined]
        server.on_message(lambda m: route.send(changed(m) if isinstance(m, str) else m))  # type: ignore[attr-defined]

    page.route_web_socket("**/live", between)
    page.reload()
    choose(page, "Edit along a direction")
    expect(page.locator("#lack")).to_have_text(lack)
    expect(page.locator("#draw")).to_be_disabled()
    page.screenshot(path=SCREENSHOTS / "edit-lack.png")
    page.fill("#prompt", "a red apple")
    page.press("#prompt", "Enter")
    expect(page.locator("#notice")).to_contain_text(lack)
    choose(page, "Draw from words")
    expect(page.locator("#lack")).to_be_empty()
    expect(page.locator("#draw")).to_be_enabled()
