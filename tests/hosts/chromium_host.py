"""The page in a real Chromium: Debian's, driven by Playwright, against a real `limner serve`.

Where there is none the tests that import this are skipped, unless LIMNER_NEEDS_CHROMIUM is set, as
CI sets it. Screenshots go to `.cache/screenshots`.
"""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from sheets import SIZE

from limner.models.clip import Clip

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
if not CHROMIUM and "LIMNER_NEEDS_CHROMIUM" not in os.environ:
    pytest.skip("there is no Chromium: apt-get install chromium", allow_module_level=True)

from playwright.sync_api import Browser, Page, expect, sync_playwright  # noqa: E402

SCREENSHOTS = Path(__file__).parents[2] / ".cache" / "screenshots"
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
]  # fmt: skip
PATIENCE_MS = 60_000
DRAWN = """() => {
    const stage = document.querySelector("#stage");
    const { data } = stage.getContext("2d").getImageData(0, 0, stage.width, stage.height);
    let sum = 0;
    for (let i = 0; i < data.length; i += 4) sum += 765 - data[i] - data[i + 1] - data[i + 2];
    return sum;
}"""  # how much ink there is
NEAR = 4  # levels between the same picture on papers of two sizes
PAPER = """([wide, high]) => {
    const stage = document.querySelector("#stage");
    const scale = parseFloat(document.querySelector("#scale").textContent) / 100;
    const [across, down] = [Math.round(wide / 10), Math.round(high / 10)];
    const small = new OffscreenCanvas(across, down).getContext("2d");
    small.imageSmoothingQuality = "high";
    small.drawImage(stage, (stage.width - wide * scale) / 2, (stage.height - high * scale) / 2,
        wide * scale, high * scale, 0, 0, across, down);
    return [...small.getImageData(1, 1, across - 2, down - 2).data];
}"""  # what lies on the paper, small, wherever that is and however large
PIXELS = "() => document.querySelector('#stage').toDataURL()"
BRING = """async ([how, selector, name, type, data]) => {
    const carried = new DataTransfer();
    const bytes = Uint8Array.from(atob(data), (c) => c.charCodeAt(0));
    carried.items.add(new File([bytes], name, { type }));
    const how_it_comes = { bubbles: true, cancelable: true };
    const at = document.querySelector(selector);
    if (how === "paste")
        at.dispatchEvent(new ClipboardEvent(how, { ...how_it_comes, clipboardData: carried }));
    else
        for (const kind of ["dragover", "drop"])
            at.dispatchEvent(new DragEvent(kind, { ...how_it_comes, dataTransfer: carried }));
}"""  # a picture that is dropped or pasted somewhere


@contextmanager
def serving(data: Path, **more: str) -> Iterator[list[str]]:
    """A backend with its data there; what is yielded is the command that makes links to it."""
    env = {**os.environ, "LIMNER_DATA": str(data), **more}
    limner = [sys.executable, "-m", "limner"]
    with subprocess.Popen([*limner, "serve", "--port", "0"], env=env,
                          stdout=subprocess.PIPE, text=True) as process:  # fmt: skip
        assert process.stdout is not None and "serves" in process.stdout.readline()
        os.environ["LIMNER_DATA"], before = env["LIMNER_DATA"], os.environ.get("LIMNER_DATA")
        yield [*limner, "open", "--print"]
        os.environ.pop("LIMNER_DATA") if before is None else os.environ.update(LIMNER_DATA=before)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0


@contextmanager
def studio(models: Path, data: Path, clip: Clip) -> Iterator[list[str]]:
    """A backend which has a generator, and its directions for a CLIP, in a models folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIMNER_MODELS", str(models))
        studios.install(models, clip=clip)
        with serving(data) as command:
            yield command


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser."""
    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, link: list[str]) -> Iterator[Page]:
    """The page, by a link of its own; whatever it complains about fails the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    said: list[str] = []
    page.on("console", lambda m: said.append(m.text) if m.type == "error" else None)
    page.on("pageerror", lambda problem: said.append(str(problem)))
    page.goto(subprocess.run(link, check=True, capture_output=True, text=True).stdout.strip())
    expect(page.locator("#link")).to_have_attribute("data-phase", "ready", timeout=PATIENCE_MS)
    yield page
    context.close()
    assert not said


def choose(page: Page, title: str) -> None:
    """Show a method's form, whichever family it is of."""
    page.locator("#methods button").first.wait_for()
    tab = page.locator("#methods").get_by_role("tab", name=title, exact=True)
    for family in page.locator("#families").get_by_role("tab").all():
        if not tab.count():
            family.click()
    tab.click()


def draw(page: Page, prompt: str, **settings: float) -> None:
    page.fill("#prompt", prompt)
    for name, value in settings.items():
        page.get_by_label(name, exact=True).first.fill(str(value))
    page.click("#draw")


def state(page: Page, words: str) -> None:
    expect(page.locator("#tray .state")).to_contain_text(words, timeout=PATIENCE_MS)


def step(page: Page) -> int:
    found = re.search(r"step (\d+)", page.locator("#tray .figures").inner_text())
    return int(found[1]) if found else 0


def bring(page: Page, picture: Path, how: str = "drop", at: str = "#stage") -> None:
    """Drop a picture, or paste it."""
    data = base64.b64encode(picture.read_bytes()).decode()
    kind = {".jpg": "jpeg"}.get(picture.suffix, picture.suffix[1:])
    page.evaluate(BRING, [how, at, picture.name, f"image/{kind}", data])


def changed(page: Page, before: str) -> str:
    """The stage's pixels once they are others."""
    page.wait_for_function(f"(before) => ({PIXELS})() !== before", arg=before, polling=16)
    return settled(page)


def settled(page: Page) -> str:
    """The stage's pixels once they have stayed as they are for a while."""
    now = page.evaluate(PIXELS)
    while True:
        page.wait_for_timeout(400)
        before, now = now, page.evaluate(PIXELS)
        if now == before:
            return str(now)


def changed_while_it_runs(page: Page) -> str:
    """The stage's pixels after one frame more."""
    now = page.evaluate(PIXELS)
    page.wait_for_function(f"(before) => ({PIXELS})() !== before", arg=now, polling=16)
    expect(page.locator("#tray .state")).to_have_text("Drawing")
    return str(page.evaluate(PIXELS))


def paper(page: Page, size: tuple[int, int] = SIZE) -> np.ndarray:
    """What the page shows on paper of a size once it has come to rest, small, in levels."""
    settled(page)
    return np.array(page.evaluate(PAPER, size))


def drag(page: Page, name: str, parts: list[float]) -> None:
    """Take a slider by its handle and move it to parts of its length."""
    slider = page.locator(f".field:has(#setting-{name}) input[type=range]")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box is not None
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] * parts[0], y)
    page.mouse.down()
    for part in parts[1:]:
        page.mouse.move(box["x"] + box["width"] * part, y, steps=6)
    page.mouse.up()


def saved(page: Page) -> Path:
    """The PNG that the tray's link saves."""
    with page.expect_download() as download:
        page.get_by_role("link", name="PNG").first.click()
    return Path(download.value.path())


def told(page: Page) -> dict[str, Any]:
    """The settings that stand in the PNG."""
    with Image.open(saved(page)) as picture:
        settings: dict[str, Any] = json.loads(picture.text["limner"])["settings"]
    return settings


def on_easel(page: Page) -> str:
    """The id of what is shown."""
    return str(json.loads(page.evaluate("sessionStorage.getItem('limner.job')")))
