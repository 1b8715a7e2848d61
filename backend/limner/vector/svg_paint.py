"""Which colour, width and opacity an SVG element has: attributes, style and style sheets.

Of CSS it knows the selectors that drawing programs write (`*`, `g`, `.a`, `g.a`, `#a`) and the
dozen properties that matter to a stroke; everything else is passed over. It does not know
about geometry. Each text is parsed once, and every pattern is linear in its length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from svgelements import Color

from limner.vector.svg_safe import Node

Properties = Mapping[str, str]
Rgba = tuple[float, float, float, float]  # straight alpha, each in [0, 1]

_STROKE = frozenset(("stroke", "stroke-width", "stroke-opacity", "stroke-linecap"))
INHERITED = _STROKE | {"fill", "fill-opacity", "color", "visibility"}
_OWN = frozenset(("opacity", "display", "transform", "vector-effect"))
_KNOWN = INHERITED | _OWN | {"stop-color", "stop-opacity"}
_COLOUR_CHARS = 64  # svgelements' colour patterns are quadratic in the text
_CLASSES_MAX = 32
_RGB = re.compile(r"rgba?\(([^()]*)\)")
_INITIAL = {"stroke": "none", "fill": "black", "color": "black", "stop-color": "black"}


def declarations(text: str) -> dict[str, str]:
    """The known properties of `a: b; c: d`, without `!important`."""
    found = {}
    for part in text.split(";"):
        name, colon, value = part.partition(":")
        name = name.strip().lower()
        if colon and name in _KNOWN:
            found[name] = value.partition("!")[0].strip()
    return found


def sheet(css: str) -> dict[str, dict[str, str]]:
    """The rules of a style sheet: selector -> known properties. At-rules are passed over."""
    rules: dict[str, dict[str, str]] = {}
    for selectors, body in _blocks(_without_comments(css)):
        properties = declarations(body)
        for selector in selectors.split(",") if properties else ():
            rules.setdefault(selector.strip(), {}).update(properties)
    return rules


def _without_comments(css: str) -> str:
    kept, at = [], 0
    while (start := css.find("/*", at)) >= 0:
        kept.append(css[at:start])
        end = css.find("*/", start + 2)
        if end < 0:
            return "".join(kept)
        at = end + 2
    return "".join([*kept, css[at:]])


def _blocks(css: str) -> Iterator[tuple[str, str]]:
    """(selectors, body) of each rule at the top level that is not an at-rule."""
    depth, selectors, body = 0, "", ""
    for piece in re.split(r"([{}])", css):
        if piece == "{":
            depth += 1
        elif piece == "}":
            depth = max(depth - 1, 0)
            if depth == 0 and not selectors.startswith("@"):
                yield selectors, body
        elif depth == 0:
            selectors = piece.rpartition(";")[2].strip()
        else:
            body = piece


def declared(node: Node, rules: Mapping[str, Properties]) -> dict[str, str]:
    """What an element says of itself: attributes, below the style sheet, below `style`."""
    attributes = node.attributes
    found = {name: attributes[name].strip() for name in _KNOWN & attributes.keys()}
    classes = attributes.get("class", "").split(None, _CLASSES_MAX)[:_CLASSES_MAX]
    for selector in (
        "*",
        node.tag,
        *(f".{name}" for name in classes),
        *(f"{node.tag}.{name}" for name in classes),
        f"#{attributes.get('id', '')}",
    ):
        found.update(rules.get(selector, {}))
    found.update(declarations(attributes.get("style", "")))
    return {name: value for name, value in found.items() if value != "inherit"}


def colour(properties: Properties, name: str, gradients: Mapping[str, Rgba]) -> Rgba | None:
    """The paint `name` ("stroke" or "fill") with its own opacity; None if there is none.

    A gradient is replaced by its mean colour; a pattern, or a gradient that is not in the file,
    by the colour that follows it, or by none.
    """
    value = properties.get(name, _INITIAL[name])
    if value.startswith("url("):
        link, _, fallback = value.partition(")")
        mean = gradients.get(link[4:].strip().strip("'\"").lstrip("#"))
        if mean is not None:
            return _faded(mean, properties, name)
        value = fallback.strip() or "none"
    if value.lower() == "currentcolor":
        value = properties.get("color", _INITIAL["color"])
    plain = parse_colour(value)
    return plain and _faded(plain, properties, name)


def _faded(rgba: Rgba, properties: Properties, name: str) -> Rgba:
    return (*rgba[:3], rgba[3] * opacity(properties.get(f"{name}-opacity")))


def parse_colour(text: str) -> Rgba | None:
    """A CSS colour: #hex, a name, rgb() or hsl(); None for "none" and for what is too long."""
    text = text.strip().lower()
    if text in ("none", "context-stroke", "context-fill") or len(text) > _COLOUR_CHARS:
        return None
    if match := _RGB.fullmatch(text):  # svgelements knows neither rgb(1.5,2,3) nor rgb(1 2 3 / 50%)
        return _rgb(match[1].replace(",", " ").replace("/", " ").split())
    try:
        value = Color(text)
        return (value.red / 255, value.green / 255, value.blue / 255, value.opacity)
    except (TypeError, ValueError):
        return None


def _rgb(parts: list[str]) -> Rgba | None:
    if len(parts) not in (3, 4):
        return None
    r, g, b = (opacity(part) if part.endswith("%") else _clamped(part, 255) for part in parts[:3])
    return (r, g, b, opacity(parts[3] if len(parts) == 4 else None))


def opacity(text: str | None) -> float:
    """An opacity in [0, 1], from a number or a percentage; 1 if there is none or it is wrong."""
    if not text:
        return 1.0
    return _clamped(text[:-1], 100) if text.endswith("%") else _clamped(text, 1)


def _clamped(text: str, full: float) -> float:
    try:
        value = float(text) / full
    except ValueError:
        return 1.0
    return 1.0 if math.isnan(value) else min(max(value, 0.0), 1.0)


def gradient_means(
    nodes: Sequence[Node], declared_by: Callable[[Node], Properties]
) -> dict[str, Rgba]:
    """Gradient id -> the plain mean of its stops, or of those of the gradient it refers to."""
    gradients = [node for node in nodes if node.tag in ("linearGradient", "radialGradient")]
    means: dict[str, Rgba] = {}
    for node in gradients:
        stops = [declared_by(child) for child in node.children if child.tag == "stop"]
        if (mean := _mean_colour(stops)) is not None:
            means.setdefault(node.attributes.get("id", ""), mean)
    own = dict(means)
    for node in gradients:  # one link, as drawing programs write: colours here, shape there
        target = own.get(node.attributes.get("href", "").strip()[1:])
        if target is not None:
            means.setdefault(node.attributes.get("id", ""), target)
    return means


def _mean_colour(stops: Sequence[Properties]) -> Rgba | None:
    colours = []
    for stop in stops:
        rgba = parse_colour(stop.get("stop-color", _INITIAL["stop-color"]))
        if rgba is not None:
            colours.append(_faded(rgba, stop, "stop"))
    if not colours:
        return None
    r, g, b, a = (sum(channel) / len(colours) for channel in zip(*colours, strict=True))
    return (r, g, b, a)
