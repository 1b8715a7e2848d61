"""The portraits' colours, and how a graded attribute passes from one class into the next."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from limner.training.portraits.attributes import ATTRIBUTES, Portrait

Floats = NDArray[np.float64]
Colour = tuple[float, float, float]

COLOUR_PLATEAU, FORM_PLATEAU = 0.8, 0.5  # |lean| up to which a class is purely itself

SKIN: dict[str, Colour] = {
    "pale": (0.99, 0.89, 0.84), "light": (0.96, 0.77, 0.64), "tan": (0.85, 0.61, 0.44),
    "brown": (0.64, 0.42, 0.29), "dark": (0.40, 0.26, 0.19),
}  # fmt: skip
HAIR: dict[str, Colour] = {
    "black": (0.13, 0.12, 0.15), "brown": (0.40, 0.24, 0.14), "red": (0.80, 0.25, 0.12),
    "blond": (0.95, 0.77, 0.36), "gray": (0.70, 0.71, 0.74), "pink": (0.95, 0.48, 0.68),
    "blue": (0.22, 0.42, 0.82),
}  # fmt: skip
EYE: dict[str, Colour] = {
    "brown": (0.38, 0.22, 0.12), "green": (0.20, 0.58, 0.30), "blue": (0.16, 0.46, 0.86),
    "gray": (0.50, 0.55, 0.60),
}  # fmt: skip
CLOTHES: dict[str, Colour] = {
    "red": (0.83, 0.22, 0.22), "orange": (0.94, 0.53, 0.18), "yellow": (0.97, 0.80, 0.28),
    "green": (0.25, 0.58, 0.37), "blue": (0.20, 0.42, 0.78), "purple": (0.50, 0.31, 0.66),
    "black": (0.18, 0.19, 0.23), "white": (0.95, 0.95, 0.95),
}  # fmt: skip
BACKGROUND: dict[str, Colour] = {
    "white": (0.97, 0.97, 0.96), "yellow": (0.99, 0.86, 0.50), "orange": (0.98, 0.70, 0.47),
    "pink": (0.98, 0.73, 0.78), "purple": (0.76, 0.67, 0.90), "blue": (0.60, 0.80, 0.95),
    "green": (0.66, 0.85, 0.66), "gray": (0.72, 0.74, 0.77),
}  # fmt: skip
HALO: dict[str, Colour] = {  # the disc behind the figure: 0.58 of the background, else white
    name: (0.42 + 0.58 * r, 0.42 + 0.58 * g, 0.42 + 0.58 * b)
    for name, (r, g, b) in BACKGROUND.items()
} | {"white": (0.92, 0.92, 0.91)}
TABLES = {
    "skin": SKIN, "hair colour": HAIR, "eye colour": EYE, "clothes colour": CLOTHES,
    "background": BACKGROUND,
}  # fmt: skip

WHITE = np.array([1.0, 1.0, 1.0])
INK = np.array([0.15, 0.12, 0.16])
BLUSH = np.array([0.94, 0.36, 0.34])


def graded(
    portrait: Portrait, attribute: str, table: Mapping[str, Colour | float], plateau: float
) -> Floats:
    """What the table holds for the portrait's class, mixed with the neighbour that it leans to.

    Halfway between two classes both tell the same: a portrait changes smoothly with its lean.
    """
    classes = ATTRIBUTES[attribute].classes
    own = classes.index(portrait[attribute])
    lean = portrait.leans.get(attribute, 0.0)
    other = min(max(own + (1 if lean > 0 else -1), 0), len(classes) - 1)
    t = max(0.0, (abs(lean) - plateau) / (1 - plateau))
    share = 0.5 * t * t * (2 - t)  # leaves 0 gently and arrives at a half with some slope
    first, second = np.asarray(table[classes[own]]), np.asarray(table[classes[other]])
    return np.asarray(first + share * (second - first), dtype=np.float64)


def form(portrait: Portrait, attribute: str, table: Mapping[str, float]) -> float:
    """A graded figure that shapes something: a curve, an opening, a width."""
    return float(graded(portrait, attribute, table, FORM_PLATEAU))


def colour(portrait: Portrait, attribute: str) -> Floats:
    """(3,) in [0, 1]: the colour of skin, hair, eyes, clothes or background."""
    return graded(portrait, attribute, TABLES[attribute], COLOUR_PLATEAU)


def darker(rgb: Floats, amount: float) -> Floats:
    """In shadow, and a little warmer or more violet than plain darkness would be."""
    return rgb * (1 - amount * np.array([0.88, 1.06, 0.96]))


def lighter(rgb: Floats, amount: float) -> Floats:
    """Mixed with white."""
    return rgb + (1 - rgb) * amount


def mixed(a: Floats, b: Floats, share: float) -> Floats:
    """`share` of b in a."""
    return a + share * (b - a)


def ramp(x: float, low: float, high: float) -> float:
    """0 up to low, 1 from high on, straight between: where a choice must not jump."""
    return min(1.0, max(0.0, (x - low) / (high - low)))


def luminance(rgb: NDArray[np.floating]) -> NDArray[np.floating]:
    """(…,) of (…, 3): how light it looks, in [0, 1]."""
    weights = np.array([0.299, 0.587, 0.114], rgb.dtype)
    out: NDArray[np.floating] = rgb @ weights
    return out
