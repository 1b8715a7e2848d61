"""A portrait as a list of marks, from the background to the foremost thing."""

from __future__ import annotations

from limner.training.portraits import beards, clothes, features, hair, head, sprite, worn
from limner.training.portraits.attributes import Portrait
from limner.training.portraits.marks import Mark, Placement, ellipse, fill, placed
from limner.training.portraits.palette import COLOUR_PLATEAU, HALO, Floats, colour, graded

MIDDLE = (0.5, 0.522)
PIVOT = (0.0, 0.23)  # the head tilts about its chin
USUAL = 1.12  # the head's scale: a cartoon's head is large
TURN, TILT, SIZE, RISE = 0.026, 0.085, 0.045, 0.010  # at 1 of the portrait's own pose


def placement(p: Portrait) -> Placement:
    """Where the head stands; in pixel art straight on the grid, as sprites are drawn."""
    if p.medium == "pixel art":
        return Placement(MIDDLE, PIVOT, 0.0, 0.0, USUAL)
    middle = (MIDDLE[0], MIDDLE[1] - RISE * p.rise)
    return Placement(middle, PIVOT, TURN * p.turn, TILT * p.tilt, USUAL + SIZE * p.size)


def background(p: Portrait) -> Floats:
    """(3,) the colour that the figure stands before."""
    return colour(p, "background")


def halo(p: Portrait) -> Mark:
    """A paler disc behind the figure."""
    pale = graded(p, "background", HALO, COLOUR_PLATEAU)
    return fill(ellipse(0.5, 0.52, 0.43, 0.43, 48), pale)


def marks(p: Portrait) -> list[Mark]:
    """The figure, without what is behind it."""
    place = placement(p)
    face = head.face(p)
    behind = hair.back(p)
    bare = [
        *head.ears(p), face, head.side(face),
        *(head.scalp(p, face) if p.hair == "bald" and p.hat == "none" else []),
        *([] if p.medium == "pixel art" else [*head.cheeks(face), *head.age(p, face.rgb)]),
        *beards.beard(p),
    ]  # fmt: skip
    over = [*hair.front(p, face)]
    last = [*worn.hat(p), *worn.earrings(p)]
    fine, brows, glasses = _sprite(p) if p.medium == "pixel art" else _curved(p, place)
    return [
        *clothes.behind(p), *placed(behind, place), *head.neck(p),
        *clothes.before(p), *placed(bare, place), *fine,
        *placed(over, place), *brows, *glasses, *placed(last, place),
    ]  # fmt: skip


Parts = tuple[list[Mark], list[Mark], list[Mark]]


def _curved(p: Portrait, place: Placement) -> Parts:
    """The finer things of the face, the brows and the glasses."""
    fine = [*beards.moustache(p), *features.nose(p), *features.mouth(p), *features.eyes(p)]
    groups = fine, features.brows(p), worn.glasses(p)
    first, second, third = (placed(group, place) for group in groups)
    return first, second, third


def _sprite(p: Portrait) -> Parts:
    return sprite.face(p), sprite.brows(p), sprite.glasses(p)
