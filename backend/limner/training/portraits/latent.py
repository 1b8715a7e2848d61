"""From a latent code to a portrait: the fixed map that a generator of portraits is trained towards.

A code z has 64 numbers, z ~ N(0, I). Each attribute, and each number of the pose, reads one
direction of it; all directions are orthogonal, so attributes are independent. The number read goes
through the normal's distribution function, u = Phi(<z, direction>), uniform in (0, 1): the pose is
2u - 1, and a class is where u falls among the classes' shares. Where in that part it falls is the
class' lean, so graded attributes, all colours and faces among them, change smoothly with z; the
others jump.

Only z's direction counts, not its length: z is first brought to length sqrt(64), as a StyleGAN's
mapping network does, which could not tell two lengths apart. Then <z, direction> is only nearly
normal; shares are kept to about half a percent. 25 directions are read. The other 39 are spare:
they take up the length when one attribute is changed, which so leaves all others exactly alone.
Fewer would not always suffice for that; more would only be more for a generator to learn to ignore.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from limner.training.portraits.attributes import ATTRIBUTES, POSE, Attribute, Portrait

Floats = NDArray[np.float64]

LATENT = 64
NAMES = (*ATTRIBUTES, *POSE)
SEED = 20210331
EDGE = 1e-6  # u keeps so far from 0 and 1, where codes would be infinite


@lru_cache(maxsize=1)
def directions() -> Floats:
    """(64, 64) orthonormal rows: one for each of `NAMES`, then the spare ones."""
    q, r = np.linalg.qr(np.random.RandomState(SEED).standard_normal((LATENT, LATENT)))
    basis: Floats = (q * np.sign(np.diag(r))).T  # the sign of a row is else up to the library
    basis.setflags(write=False)
    return basis


def direction(name: str) -> Floats:
    """(64,) the direction that an attribute or a number of the pose reads."""
    out: Floats = directions()[NAMES.index(name)]
    return out


def sample(count: int, seed: int) -> NDArray[np.float32]:
    """(N, 64) codes of N portraits as frequent as `ATTRIBUTES` says."""
    drawn: NDArray[np.float32] = (
        np.random.default_rng(seed).standard_normal((count, LATENT)).astype(np.float32)
    )
    return drawn


def read(z: NDArray[np.floating]) -> Floats:
    """(N, 64) of (N, 64): how far each code, brought to its length, goes in each direction."""
    codes = np.asarray(z, dtype=np.float64)
    length = np.linalg.norm(codes, axis=-1, keepdims=True)
    out: Floats = codes * (LATENT**0.5 / length) @ directions().T
    return out


def portraits_of(z: NDArray[np.floating]) -> list[Portrait]:
    """The portraits of (N, 64) codes."""
    u = torch.special.ndtr(torch.from_numpy(read(z)[:, : len(NAMES)])).tolist()
    return [_portrait(dict(zip(NAMES, row, strict=True))) for row in u]


def portrait_of(z: NDArray[np.floating]) -> Portrait:
    """The portrait of a (64,) code."""
    return portraits_of(z[None])[0]


def _portrait(u: Mapping[str, float]) -> Portrait:
    fields: dict[str, Any] = {name: 2 * u[name] - 1 for name in POSE}
    leans = {}
    for a in ATTRIBUTES.values():
        fields[a.name.replace(" ", "_")], lean = _class_at(a, u[a.name])
        if a.graded:
            leans[a.name] = lean
    return Portrait(**fields, leans=leans)


def _class_at(a: Attribute, u: float) -> tuple[str, float]:
    """The class in whose part of (0, 1) u falls, and where in that part: the lean, in [-1, 1]."""
    low = 0.0
    for name, share in zip(a.classes, a.shares, strict=True):
        if u < low + share or name == a.classes[-1]:
            return name, min(1.0, 2 * (u - low) / share - 1)
        low += share
    raise AssertionError("an attribute has classes")


def _u_of(name: str, value: str | float, lean: float = 0.0) -> float:
    """Where in (0, 1) an attribute has this class and lean, or the pose this number."""
    if name in POSE:
        return (float(value) + 1) / 2
    a = ATTRIBUTES[name]
    if value not in a.classes:
        raise ValueError(f"{name} is one of {', '.join(a.classes)}, not {value}")
    k = a.classes.index(str(value))
    return sum(a.shares[:k]) + a.shares[k] * (lean + 1) / 2


def changed(
    z: NDArray[np.floating], name: str, value: str | float, lean: float = 0.0
) -> NDArray[np.float32]:
    """(64,) a code of the same portrait but for one attribute.

    Args:
        z: (64,) any code.
        name: an attribute, or a number of the pose.
        value: a class of that attribute, or the number, in [-1, 1].

    Raises:
        ValueError: if the attribute has no such class, or nothing is spare to make up the length.
    """
    return _with(read(z[None])[0], {name: _u_of(name, value, lean)})


def encode(portrait: Portrait, seed: int = 0) -> NDArray[np.float32]:
    """(64,) a code whose portrait this is; the seed chooses among all that there are.

    Raises:
        ValueError: if the portrait is so unlikely that it has none.
    """
    row = read(sample(1, seed))[0]
    u = {a: _u_of(a, portrait[a], portrait.leans.get(a, 0.0)) for a in ATTRIBUTES}
    return _with(row, u | {name: _u_of(name, getattr(portrait, name)) for name in POSE})


def _with(row: Floats, u: Mapping[str, float]) -> NDArray[np.float32]:
    """The code of a row of readings, some of them set to what has these u."""
    at = torch.tensor(list(u.values()), dtype=torch.float64).clamp(EDGE, 1 - EDGE)
    row = row.copy()
    row[[NAMES.index(name) for name in u]] = torch.special.ndtri(at).numpy()
    spare = row[len(NAMES) :]
    left = LATENT - float(np.square(row[: len(NAMES)]).sum())
    if left <= 0:
        raise ValueError(f"too unlikely for a code of {LATENT} numbers")
    row[len(NAMES) :] = spare * (left**0.5 / np.linalg.norm(spare))
    out: NDArray[np.float32] = (row @ directions()).astype(np.float32)
    return out
