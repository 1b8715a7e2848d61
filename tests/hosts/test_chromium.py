"""The page in a real Chromium, against a real `limner serve` with its real worker: drawings.

Editing pictures is in `test_chromium_editing`.
"""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from chromium_host import (
    DRAWN,
    PATIENCE_MS,
    PIXELS,
    SCREENSHOTS,
    Browser,
    Page,
    bring,
    choose,
    draw,
    expect,
    serving,
    state,
    step,
)
from PIL import Image

from limner.vector.space import views
from limner.vector.svg import read_svg

TURNED = """async ([svg, azimuth, elevation]) => {
    const { fromSvg, turned } = await import("/strokes.js");
    const { strokes } = turned(fromSvg(svg, [224, 224]), azimuth, elevation);
    return strokes.flatMap(({ nodes }) => [...nodes].filter((_, i) => i % 3 < 2));
}"""  # x and y of all control points in painting order


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The command that makes links to a backend which runs as long as these tests."""
    with serving(tmp_path_factory.mktemp("data")) as command:
        yield command


def test_a_drawing_from_the_page(page: Page) -> None:
    """First strokes within a second of pressing Draw, live frames, a result to download."""
    assert "ticket" not in page.url
    draw(page, "a potted plant", Steps=5)
    state(page, "Done")  # the starter is loaded now
    before = page.evaluate(DRAWN)
    page.fill("#prompt", "a red apple")
    page.get_by_label("Steps", exact=True).first.fill("250")
    pressed = time.monotonic()
    page.click("#draw")
    page.wait_for_function(f"() => ({DRAWN})() !== {before}", polling=16)
    first_s = time.monotonic() - pressed
    print(f"first strokes {first_s:.2f} s after Draw")
    state(page, "Drawing")
    seen = {step(page)}
    while len(seen) < 4:
        page.wait_for_timeout(60)
        seen.add(step(page))
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENSHOTS / "drawing.png")
    state(page, "Done")
    page.screenshot(path=SCREENSHOTS / "done.png")
    for kind in ("SVG", "PNG"):
        with page.expect_download() as download:
            page.get_by_role("link", name=kind).first.click()
        data = Path(download.value.path()).read_bytes()
        assert data.startswith(b"<?xml" if kind == "SVG" else b"\x89PNG")
    expect(page.locator("#gallery img, #gallery canvas").first).to_be_visible()
    assert first_s < 5  # a benchmark measures it; here, only that it is not broken


def test_a_reload_in_mid_job_comes_back_to_it(page: Page) -> None:
    draw(page, "a sailboat", Steps=20_000)
    state(page, "Drawing")
    page.wait_for_timeout(500)
    page.reload()
    state(page, "Drawing")
    before = step(page)
    page.wait_for_function(
        f"() => Number(/step (\\d+)/.exec(document.querySelector('#tray .figures').innerText)?.[1])"
        f" > {before}"
    )
    page.get_by_role("button", name="Pause").click()
    state(page, "Paused")
    page.reload()
    state(page, "Paused")
    page.wait_for_function(f"() => ({DRAWN})() > 10_000")
    page.get_by_role("button", name="Go on").click()
    state(page, "Drawing")
    page.fill("#prompt", "a blue fish")
    page.press("#prompt", "Enter")
    expect(page.locator("body")).to_contain_text(re.compile(r"from step \d+ on"))
    page.get_by_role("button", name=re.compile("[Kk]eep")).first.click()
    state(page, "Stopped")


def test_a_drawing_in_space_is_turned_by_hand_and_by_keys(page: Page, tmp_path: Path) -> None:
    choose(page, "Draw in space")
    draw(page, "a red apple", Steps=20_000)
    state(page, "Drawing")
    page.wait_for_function(f"() => ({DRAWN})() > 10_000")
    expect(page.locator("#front")).to_have_text("Drag to turn it")
    page.get_by_role("button", name="Pause").click()
    state(page, "Paused")
    turn_and_come_back(page)
    page.get_by_role("button", name=re.compile("[Kk]eep")).first.click()
    state(page, "Stopped")
    turn_and_come_back(page)
    with page.expect_download() as download:
        page.get_by_role("link", name="SVG").first.click()
    svg = Path(download.value.path()).read_bytes()
    seen = page.evaluate(TURNED, [svg.decode(), 50, 20])
    flat, _ = views(read_svg(svg, (224, 224)), torch.tensor([[50.0, 20.0]]), (224, 224))
    assert seen == pytest.approx(flat.points.flatten().tolist(), abs=0.01)
    choose(page, "Draw from words")
    page.get_by_role("button", name="Go on from this").click()
    expect(page.get_by_role("tab", name="Draw in space")).to_have_attribute("aria-selected", "true")


def turn_and_come_back(page: Page) -> None:
    """Drag and double click, arrow and 0: each turns the drawing, and brings the front back."""
    page.wait_for_timeout(200)
    stage, front = page.locator("#stage"), page.evaluate(PIXELS)
    box = stage.bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x - 180, y + 20, steps=4)
    page.mouse.up()
    expect(page.locator("#front")).to_have_text("Front view")
    dragged = page.evaluate(PIXELS)
    page.screenshot(path=SCREENSHOTS / "turned.png")
    stage.dblclick()
    expect(page.locator("#front")).to_have_text("Drag to turn it")
    assert page.evaluate(PIXELS) == front != dragged
    stage.press("ArrowRight")
    expect(page.locator("#front")).to_have_text("Front view")
    assert page.evaluate(PIXELS) not in (front, dragged)
    stage.press("0")
    expect(page.locator("#front")).to_have_text("Drag to turn it")
    assert page.evaluate(PIXELS) == front


def test_pictures_go_in_and_come_back(page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (120, 80), "teal").save(tmp_path / "sea.png")
    choose(page, "Trace a picture")
    expect(page.locator("#draw")).to_be_disabled()
    expect(page.locator("#needs")).to_have_text("Give it a picture first: “Begin from”.")
    page.set_input_files('.zone[data-role="init"] input', tmp_path / "sea.png")
    page.get_by_label("Steps", exact=True).first.fill("30")
    page.click("#draw")
    state(page, "Done")
    page.reload()
    state(page, "Done")
    page.get_by_role("button", name="Use its settings").click()
    zone = page.locator('.zone.given[data-role="init"] img')
    assert zone.evaluate("image => [image.naturalWidth, image.naturalHeight]") == [120, 80]


def given(page: Page) -> list[str]:
    """Which zones there are, and the pictures in them."""
    zones = page.locator(".zone")
    names = zones.evaluate_all("zones => zones.map((z) => [z.dataset.role, z.className])")
    hints = zones.locator(".hint").all_inner_texts()
    pairs = zip(names, hints, strict=True)
    return [f"{role} {hint}" if "given" in kind else role for (role, kind), hint in pairs]


OTHERS = ["over", "init", "mask"]


def test_a_drawing_in_a_style(page: Page, tmp_path: Path) -> None:
    """Dropped and pasted pictures come to their places; a drawing has the colours of the style."""
    for name, colour in (("sea.png", "teal"), ("sand.webp", "khaki"), ("lava.jpg", "firebrick")):
        Image.new("RGB", (60, 40), colour).save(tmp_path / name)
    choose(page, "Draw in a style")
    assert given(page) == ["style", *OTHERS]
    expect(page.locator("#draw")).to_be_disabled()
    expect(page.locator("#needs")).to_have_text("Give it a picture first: “In the style of”.")
    page.screenshot(path=SCREENSHOTS / "style-needed.png")
    page.fill("#prompt", "a teapot")
    page.press("#prompt", "Enter")
    expect(page.locator("#notice")).to_contain_text("“In the style of”")
    page.click("#dismiss")
    bring(page, tmp_path / "sea.png")
    expect(page.locator("#draw")).to_be_enabled()
    expect(page.locator("#needs")).to_be_empty()
    assert given(page) == ["style sea.png", "style2", *OTHERS]
    bring(page, tmp_path / "sand.webp", "paste")
    bring(page, tmp_path / "lava.jpg", at="#gallery")  # at once
    expect(page.locator('.zone.given[data-role="style3"]')).to_be_visible()
    assert given(page) == ["style sea.png", "style2 sand.webp", "style3 lava.jpg", *OTHERS]
    page.click("#more > summary")
    for name in ("Second style", "Third style"):
        expect(page.get_by_label(name, exact=True)).to_be_visible()
    page.get_by_label("Third style", exact=True).fill("99")  # too much; soon it does not matter
    page.click('.zone[data-role="style"] .remove')
    assert given(page) == ["style sand.webp", "style2 lava.jpg", "style3", *OTHERS]
    expect(page.get_by_label("Third style", exact=True)).to_be_hidden()
    page.click('.zone[data-role="style2"] .remove')
    bring(page, tmp_path / "sea.png", at='.zone[data-role="style"]')  # another in its place
    expect(page.locator('.zone[data-role="style"] .hint')).to_have_text("sea.png")
    page.click("#more > summary")
    draw(page, "a teapot", Steps=60)
    state(page, "Done")
    page.screenshot(path=SCREENSHOTS / "style.png")
    with page.expect_download() as download:
        page.get_by_role("link", name="SVG").first.click()
    paper = read_svg(Path(download.value.path()).read_bytes(), (224, 224)).rgba[0]
    assert paper.tolist() == pytest.approx([0, 128 / 255, 128 / 255, 1], abs=0.02)
    page.reload()
    state(page, "Done")
    page.get_by_role("button", name="Use its settings").click()
    expect(page.locator('.zone.given[data-role="style"] img')).to_be_visible()
    assert given(page) == ["style from before", "style2", *OTHERS]


def test_a_picture_falls_where_one_is_needed_then_where_none_is(page: Page, tmp_path: Path) -> None:
    Image.new("RGB", (60, 40), "teal").save(tmp_path / "sea.png")
    assert given(page) == OTHERS
    for count in range(1, 4):
        bring(page, tmp_path / "sea.png")
        expect(page.locator(".zone.given")).to_have_count(count)
        assert [zone.partition(" ")[2] for zone in given(page)] == ["sea.png"] * count + [""] * (
            3 - count
        )
    choose(page, "Draw in a style")
    bring(page, tmp_path / "sea.png")
    expect(page.locator(".zone.given")).to_have_count(4)
    assert given(page)[:2] == ["style sea.png", "style2"]


@pytest.mark.parametrize("kind", ["one.png", "cmyk.jpg", "clear.png", "film.gif", "huge.png"])
def test_odd_style_pictures_are_drawn_from(page: Page, tmp_path: Path, kind: str) -> None:
    """What the backend can't read as it is, the page paints anew: smaller, its first frame."""
    red, lime = Image.new("RGB", (9, 9), "red"), Image.new("RGB", (9, 9), "lime")
    match kind.partition(".")[0]:
        case "one":
            Image.new("RGB", (1, 1), "red").save(tmp_path / kind)
        case "cmyk":
            Image.new("CMYK", (9, 9), (0, 255, 255, 0)).save(tmp_path / kind)
        case "clear":
            Image.new("RGBA", (9, 9), (255, 0, 0, 128)).save(tmp_path / kind)
        case "film":
            red.save(tmp_path / kind, save_all=True, append_images=[lime])
        case "huge":
            Image.new("RGB", (6000, 5000), "red").save(tmp_path / kind, compress_level=1)
    choose(page, "Draw in a style")
    bring(page, tmp_path / kind)
    expect(page.locator("#draw")).to_be_enabled()
    draw(page, "a teapot", Steps=3)
    state(page, "Done")
    with page.expect_download() as download:
        page.get_by_role("link", name="SVG").first.click()
    paper = read_svg(Path(download.value.path()).read_bytes(), (224, 224)).rgba[0]
    white = 0.5 if kind == "clear.png" else 0.0  # what of the paper shines through
    assert paper.tolist() == pytest.approx([1, white, white, 1], abs=0.05)


def test_a_photo_that_grows_as_png_is_painted_smaller(page: Page, tmp_path: Path) -> None:
    noise = torch.randint(0, 256, (4200, 4200, 3), generator=torch.Generator().manual_seed(1))
    Image.fromarray(noise.to(torch.uint8).numpy()).save(tmp_path / "noise.jpg", quality=60)
    choose(page, "Draw in a style")
    page.set_input_files('.zone[data-role="style"] input', tmp_path / "noise.jpg")
    expect(page.locator("#draw")).to_be_enabled()
    draw(page, "a teapot", Steps=2)
    state(page, "Done")


def test_what_is_no_picture_is_told(page: Page, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("no picture")
    choose(page, "Draw in a style")
    bring(page, tmp_path / "words.png")
    expect(page.locator("#notice")).to_contain_text("words.png can’t be read as a picture.")
    expect(page.locator("#draw")).to_be_disabled()


def test_the_page_can_be_used_in_the_dark_narrow_and_by_keyboard(
    browser: Browser, link: list[str], page: Page
) -> None:
    page.emulate_media(color_scheme="dark")
    page.set_viewport_size({"width": 390, "height": 800})
    page.screenshot(path=SCREENSHOTS / "narrow.png")
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= 390, "it scrolls sideways"
    page.focus("#prompt")
    page.keyboard.type("고양이")
    page.keyboard.press("Control+Enter")
    state(page, "Drawing")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement !== document.body")


def test_a_link_works_once_and_without_one_the_page_says_what_to_do(
    browser: Browser, link: list[str]
) -> None:
    url = subprocess.run(link, check=True, capture_output=True, text=True).stdout.strip()
    for use, phase in (("first", "ready"), ("again", "refused")):
        context = browser.new_context()
        page = context.new_page()
        page.goto(url)
        expect(page.locator("#link")).to_have_attribute("data-phase", phase, timeout=PATIENCE_MS)
        assert use == "first" or "limner open" in page.locator("body").inner_text()
        context.close()
    context = browser.new_context()
    page = context.new_page()
    page.goto(url.partition("#")[0])
    expect(page.locator("#banner")).to_contain_text("limner serve --open")
    context.close()
