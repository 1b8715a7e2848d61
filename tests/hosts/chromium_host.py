"""The page in a real Chromium: Debian's, driven by Playwright, against a real `limner serve`.

Where there is none the tests that import this are skipped, unless LIMNER_NEEDS_CHROMIUM is set, as
CI sets it. Screenshots go to `.cache/screenshots`.
"""

from __future__ import annotations

import base64
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

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


def draw(page: Page, prompt: str, **settings: int) -> None:
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
