"""Icon art with words, as a training corpus: iconify sets, named by emojibase.

An icon set in iconify's JSON gives vector pictures under names such as "red-apple"; emojibase
gives labels and tags in many languages under the same names. Both come from the npm registry
(`make corpus` installs them into the ignored cache; the art never enters this repository).
Rendered with resvg, which draws any size. Flags and skin tone variants are left out.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from limner.training.corpora import LANGUAGES, SIDE_PX, Corpus, Fact

TRAIN_SETS = ("noto", "fluent-emoji-flat", "noto-v1", "fxemoji", "fluent-emoji", "emojione")
TEST_SET = "twemoji"  # an art style that nothing is trained on

COMPONENTS, FLAGS = 2, 9  # groups of emojibase
GROUPS = {3: "animals", 4: "food", 5: "travel", 6: "activities", 7: "objects"}
DRAWABLE = {f"group:{name}" for name in GROUPS.values()}  # facts that no caption tells


def slug(text: str) -> str:
    """A label as iconify's sets spell it, hyphens left out (the sets differ in them)."""
    return re.sub(r"[^a-z0-9]+", "", text.lower())


def labels(node_modules: Path) -> dict[str, list[Fact]]:
    """The facts of each label by slug: the label itself, then its tags in each language."""
    data = {
        language: {
            e["hexcode"]: e
            for e in json.loads(
                (node_modules / "emojibase-data" / language / "data.json").read_text("utf-8")
            )
        }
        for language in LANGUAGES
    }
    facts: dict[str, list[Fact]] = {}
    for code, entry in data["en"].items():
        if entry.get("group", COMPONENTS) in (COMPONENTS, FLAGS):
            continue
        names = {lang: data[lang][code]["label"].lower() for lang in LANGUAGES}
        tags = [
            Fact(f"{lang}:{tag.lower()}", {lang: tag.lower()}, 0.5)
            for lang in LANGUAGES
            for tag in data[lang][code].get("tags", [])
        ]
        group = [Fact(f"group:{GROUPS[g]}", {})] if (g := entry["group"]) in GROUPS else []
        facts[slug(entry["label"])] = [Fact(f"label:{names['en']}", names), *tags, *group]
    return facts


def icons(node_modules: Path, name: str) -> Iterator[tuple[str, str]]:
    """(slug, SVG text) of every icon of a set, its aliases included."""
    data: dict[str, Any] = json.loads(
        (node_modules / "@iconify-json" / name / "icons.json").read_text("utf-8")
    )
    names = {key: key for key in data["icons"]}
    names |= {alias: to["parent"] for alias, to in data.get("aliases", {}).items()}
    for key, parent in names.items():
        icon = data["icons"].get(parent)
        if icon is None:
            continue
        width = icon.get("width", data.get("width", 16))
        height = icon.get("height", data.get("height", 16))
        side = max(width, height)
        box = f"{(width - side) / 2} {(height - side) / 2} {side} {side}"  # centred in a square
        head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="{box}"'
        yield slug(key), f'{head} width="{side}" height="{side}">{icon["body"]}</svg>'


def render_svg(svg: str, side_px: int) -> np.ndarray:
    """(4, side, side) uint8 straight RGBA of an SVG text.

    Raises:
        ValueError: if resvg can't read it.
    """
    import resvg_py

    png = bytes(resvg_py.svg_to_bytes(svg_string=svg, width=side_px, height=side_px))
    picture = Image.open(io.BytesIO(png)).convert("RGBA")
    return np.asarray(picture).transpose(2, 0, 1).copy()


def read_icons(node_modules: Path, sets: tuple[str, ...] = TRAIN_SETS) -> Corpus:
    """One picture for each label in each set that has it."""
    known = labels(node_modules)
    pictures, facts, families = [], [], []
    for name in sets:
        seen: set[str] = set()
        for key, svg in icons(node_modules, name):
            if key not in known or key in seen:
                continue
            try:
                pictures.append(render_svg(svg, SIDE_PX))
            except ValueError:
                continue  # a few icons use features that resvg refuses
            seen.add(key)
            facts.append(known[key])
            families.append(name)
    return Corpus(np.stack(pictures), facts, families)
