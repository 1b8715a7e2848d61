"""What a portrait can be: its attributes, their classes, how frequent each is, and its Korean.

Every attribute has one class in every portrait. Classes stand in an order in which neighbours look
alike. A *graded* attribute passes from one class into the next, so a portrait also has a *lean* in
it: -1 halfway to the class before, 0 the class itself, 1 halfway to the class after.

An attribute may be hidden: by a hat, by sunglasses, or because pencil knows no colours. What is
hidden is neither told in a caption nor counted when an edit is measured.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from limner.training.augment import COLOURS

Shares = dict[str, tuple[str, float]]


@dataclass(frozen=True, slots=True)
class Attribute:
    """One thing that is known of a portrait.

    Attributes:
        classes: their names, in order.
        korean: the same in Korean, as it stands before a noun where that is possible.
        shares: how frequent each is; they sum to 1.
        graded: whether a class passes into the next.
    """

    name: str
    classes: tuple[str, ...]
    korean: tuple[str, ...]
    shares: tuple[float, ...]
    graded: bool


def _attribute(name: str, table: Shares, graded: bool = False) -> Attribute:
    words, shares = zip(*table.values(), strict=True)
    return Attribute(name, tuple(table), words, shares, graded)


def _colours(*names: str) -> Shares:
    return {name: (COLOURS[name][0], 1 / len(names)) for name in names}


ATTRIBUTES = {
    a.name: a
    for a in (
        _attribute("medium", {"flat": ("평면 일러스트", 0.4), "watercolour": ("수채화", 0.2),
                              "pencil": ("연필화", 0.2), "pixel art": ("픽셀 아트", 0.2)}),
        _attribute("skin", {"pale": ("창백한", 0.2), "light": ("밝은", 0.2), "tan": ("그을린", 0.2),
                            "brown": ("갈색", 0.2), "dark": ("어두운", 0.2)}, graded=True),
        _attribute("face", {"pointed": ("갸름한", 0.25), "oval": ("계란형", 0.25),
                            "round": ("둥근", 0.25), "square": ("각진", 0.25)}, graded=True),
        _attribute("hair", {"bald": ("대머리", 0.1), "mohawk": ("모히칸", 0.08),
                            "short": ("짧은", 0.2), "curly": ("곱슬곱슬한", 0.14),
                            "bob": ("단발", 0.14), "long": ("긴", 0.16),
                            "ponytail": ("묶은", 0.09), "bun": ("올린", 0.09)}),
        _attribute("hair colour", {"black": ("검은", 0.18), "brown": ("갈색", 0.18),
                                   "red": ("빨간", 0.16), "blond": ("금발", 0.18),
                                   "gray": ("회색", 0.12), "pink": ("분홍", 0.09),
                                   "blue": ("파란", 0.09)}, graded=True),
        _attribute("eye colour", {"brown": ("갈색", 0.4), "green": ("초록", 0.2),
                                  "blue": ("파란", 0.25), "gray": ("회색", 0.15)}, graded=True),
        _attribute("eyes", {"closed": ("감은", 0.15), "open": ("뜬", 0.6),
                            "wide": ("크게 뜬", 0.25)}, graded=True),
        _attribute("brows", {"worried": ("걱정스러운", 0.25), "level": ("차분한", 0.5),
                             "stern": ("엄한", 0.25)}, graded=True),
        _attribute("glasses", {"none": ("없는", 0.58), "round": ("둥근", 0.16),
                               "square": ("네모난", 0.16), "sunglasses": ("선글라스", 0.1)}),
        _attribute("mouth", {"frown": ("찡그린", 0.2), "neutral": ("무표정한", 0.25),
                             "smile": ("미소 짓는", 0.3), "laughing": ("활짝 웃는", 0.25)},
                   graded=True),
        _attribute("beard", {"none": ("없는", 0.55), "moustache": ("콧수염", 0.15),
                             "short": ("짧은", 0.15), "full": ("덥수룩한", 0.15)}),
        _attribute("hat", {"none": ("없는", 0.6), "beanie": ("비니", 0.1),
                           "cap": ("야구 모자", 0.1), "straw hat": ("밀짚모자", 0.1),
                           "top hat": ("실크해트", 0.1)}),
        _attribute("age", {"smooth": ("매끈한", 0.55), "lined": ("주름진", 0.25),
                           "wrinkled": ("주름이 깊은", 0.2)}, graded=True),
        _attribute("earrings", {"none": ("없는", 0.7), "studs": ("작은", 0.15),
                                "hoops": ("둥근", 0.15)}),
        _attribute("clothes", {"T-shirt": ("티셔츠", 0.25), "shirt": ("셔츠", 0.2),
                               "sweater": ("스웨터", 0.2), "hoodie": ("후드 티", 0.2),
                               "suit": ("양복", 0.15)}),
        _attribute("clothes colour", _colours("red", "orange", "yellow", "green", "blue",
                                              "purple", "black", "white"), graded=True),
        _attribute("background", _colours("white", "yellow", "orange", "pink", "purple",
                                          "blue", "green", "gray"), graded=True),
    )
}  # fmt: skip

POSE = ("turn", "tilt", "size", "rise", "hair_length", "brow_width", "nose_size", "eye_gap")


@dataclass(frozen=True, slots=True)
class Portrait:
    """All that a portrait shows; the painter reads nothing else.

    Attributes:
        leans: where a graded attribute stands between its neighbours, in [-1, 1]; 0 if left out.
        turn, tilt: of the head, in [-1, 1]: to the right for the viewer.
        size, rise: of the head, in [-1, 1]: greater and higher than usual.
        hair_length, brow_width, nose_size, eye_gap: in [-1, 1], 0 as usual.

    The others are classes of the attribute of that name.
    """

    medium: str = "flat"
    skin: str = "light"
    face: str = "oval"
    hair: str = "short"
    hair_colour: str = "brown"
    eye_colour: str = "brown"
    eyes: str = "open"
    brows: str = "level"
    glasses: str = "none"
    mouth: str = "neutral"
    beard: str = "none"
    hat: str = "none"
    age: str = "smooth"
    earrings: str = "none"
    clothes: str = "T-shirt"
    clothes_colour: str = "blue"
    background: str = "yellow"
    turn: float = 0.0
    tilt: float = 0.0
    size: float = 0.0
    rise: float = 0.0
    hair_length: float = 0.0
    brow_width: float = 0.0
    nose_size: float = 0.0
    eye_gap: float = 0.0
    leans: Mapping[str, float] = field(default_factory=dict, hash=False)

    def __getitem__(self, attribute: str) -> str:
        """The class of an attribute, by the attribute's name ("hair colour")."""
        return str(getattr(self, attribute.replace(" ", "_")))


def hidden(portrait: Portrait) -> frozenset[str]:
    """The attributes that nobody can see in this portrait."""
    p = portrait
    out: set[str] = set()
    if p.medium == "pencil":
        out |= {"hair colour", "eye colour", "clothes colour", "background"}
    if p.glasses == "sunglasses":
        out |= {"eyes", "eye colour"}
    if p.eyes == "closed":
        out.add("eye colour")
    if p.hat != "none" and p.hair in ("bald", "mohawk", "bun"):
        out |= {"hair", "hair colour"}  # a hat covers all of it
    if p.hair == "bald":
        out.add("hair colour")
    if p.hair in ("bob", "long", "curly"):
        out.add("earrings")
    if p.beard == "full":
        out.add("face")
    if p.medium == "pixel art":
        out |= {"face", "age"}
    return frozenset(out)


def labels(portraits: Sequence[Portrait]) -> NDArray[np.int64]:
    """(N, A) the index of each attribute's class, in the order of `ATTRIBUTES`."""
    rows = [[a.classes.index(p[a.name]) for a in ATTRIBUTES.values()] for p in portraits]
    return np.array(rows, dtype=np.int64).reshape(len(portraits), len(ATTRIBUTES))


def visible(portraits: Sequence[Portrait]) -> NDArray[np.bool_]:
    """(N, A) whether each attribute can be seen, in the order of `ATTRIBUTES`."""
    unseen = [hidden(p) for p in portraits]
    rows = [[name not in known for name in ATTRIBUTES] for known in unseen]
    return np.array(rows, dtype=np.bool_).reshape(len(portraits), len(ATTRIBUTES))
