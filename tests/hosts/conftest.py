"""What the tests of all hosts share; what drives Chromium is imported only where one is."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image
from sheets import SIZE

from limner.methods.base import Models
from limner.pictures import encode_png

sys.path.append(str(Path(__file__).parents[1] / "methods"))
import studios

if TYPE_CHECKING:
    from chromium_host import Browser, Page


@pytest.fixture(scope="module")
def link(tmp_path_factory: pytest.TempPathFactory, starter: Models) -> Iterator[list[str]]:
    """The command that makes links to a backend which has a generator with its directions."""
    from chromium_host import studio

    places = (tmp_path_factory.mktemp("models"), tmp_path_factory.mktemp("data"))
    with studio(*places, starter.clips[0].clip) as command:
        yield command


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    from chromium_host import chromium

    with chromium() as browser:
        yield browser


@pytest.fixture
def page(browser: Browser, link: list[str]) -> Iterator[Page]:
    from chromium_host import opened

    with opened(browser, link) as page:
        yield page


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    """A picture that the generator can paint, larger and cut to another shape."""
    file = tmp_path / "portrait.png"
    file.write_bytes(encode_png(studios.picture(studios.generator())))
    side = max(SIZE)
    picture = Image.open(file).resize((side, side), Image.Resampling.BICUBIC)
    picture.crop((0, 30, SIZE[0], 30 + SIZE[1])).save(file)
    return file
