"""What can be said of a portrait, in English and Korean, and of which portraits it is true."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from limner.training.portraits.attributes import ATTRIBUTES, Portrait, hidden

PLAIN = 0.75  # a class is told where the lean is no further from it

Joint = Literal["with", "in", "on"]


@dataclass(frozen=True, slots=True)
class Saying:
    """One true thing, worded.

    Attributes:
        key: what makes two facts the same.
        needs: the classes that it is true of, by attribute; all attributes must be visible.
        before: in English, before the noun ("smiling"), or empty.
        after: in English, after the noun and `joint` ("round glasses"), or empty.
        korean: before the noun, as all is in Korean.
    """

    key: str
    needs: Mapping[str, tuple[str, ...]]
    korean: str
    before: str = ""
    after: str = ""
    joint: Joint = "with"

    def holds(self, portrait: Portrait) -> bool:
        """Whether it is true of the portrait and can be seen."""
        unseen = hidden(portrait)
        return all(portrait[a] in ok and a not in unseen for a, ok in self.needs.items())

    def plain(self, portrait: Portrait) -> bool:
        """Whether it is true without doubt: no class leans to one of which it would not be."""
        return self.holds(portrait) and all(
            _leans_to(portrait, a) in (None, *ok) for a, ok in self.needs.items()
        )


def _leans_to(portrait: Portrait, attribute: str) -> str | None:
    """The neighbour that a class is hard to tell from."""
    a, lean = ATTRIBUTES[attribute], portrait.leans.get(attribute, 0.0)
    if abs(lean) <= PLAIN:
        return None
    k = a.classes.index(portrait[attribute]) + (1 if lean > 0 else -1)
    return a.classes[k] if 0 <= k < len(a.classes) else None


STYLES = {  # English with and without a colour, Korean likewise; {} is the colour
    "short": ("short {} hair", "짧은 {} 머리의"), "curly": ("curly {} hair", "{} 곱슬머리의"),
    "bob": ("a {} bob", "{} 단발머리의"), "long": ("long {} hair", "긴 {} 머리의"),
    "ponytail": ("a {} ponytail", "{} 머리를 하나로 묶은"), "bun": ("a {} bun", "{} 올림머리의"),
    "mohawk": ("a {} mohawk", "{} 모히칸 머리의"),
}  # fmt: skip
GARMENTS = {
    "T-shirt": "티셔츠",
    "shirt": "셔츠",
    "sweater": "스웨터",
    "hoodie": "후드 티",
    "suit": "양복",
}


def _one(attribute: str, *classes: str) -> dict[str, tuple[str, ...]]:
    return {attribute: classes}


def _worded(attribute: str) -> list[tuple[str, str]]:
    a = ATTRIBUTES[attribute]
    return list(zip(a.classes, a.korean, strict=True))


def _tidy(text: str) -> str:
    return " ".join(text.split())


def _hair() -> Iterator[Saying]:
    yield Saying("hair:bald", _one("hair", "bald"), "대머리인", before="bald")
    for colour, korean in _worded("hair colour"):
        needs = _one("hair colour", colour)
        yield Saying(f"hair colour:{colour}", needs, f"{korean} 머리의", f"{colour}-haired",
                     f"{colour} hair")  # fmt: skip
    for style, (english, korean) in STYLES.items():
        before = f"{style}-haired" if style in ("short", "curly", "long") else ""
        needs = _one("hair", style)
        yield Saying(f"hair:{style}", needs, _tidy(korean.format("")), before,
                     _tidy(english.format("")))  # fmt: skip
        for colour, word in _worded("hair colour"):
            yield Saying(f"hair:{colour} {style}", needs | _one("hair colour", colour),
                         korean.format(word), after=english.format(colour))  # fmt: skip


def _face() -> Iterator[Saying]:
    for skin, korean in _worded("skin"):
        needs = _one("skin", skin)
        if skin in ("tan", "brown"):  # in pencil there are only tones
            needs |= _one("medium", "flat", "watercolour", "pixel art")
        yield Saying(f"skin:{skin}", needs, f"{korean} 피부의", f"{skin}-skinned",
                     f"{skin} skin")  # fmt: skip
    for colour, korean in _worded("eye colour"):
        yield Saying(f"eye colour:{colour}", _one("eye colour", colour), f"{korean} 눈의",
                     f"{colour}-eyed", f"{colour} eyes")  # fmt: skip
    yield from (
        Saying("face:round", _one("face", "round"), "얼굴이 둥근", "round-faced", "a round face"),
        Saying("face:square", _one("face", "square"), "얼굴이 각진", "square-jawed",
               "a square jaw"),
        Saying("face:pointed", _one("face", "pointed"), "턱이 뾰족한", after="a pointed chin"),
        Saying("eyes:closed", _one("eyes", "closed"), "눈을 감은", after="closed eyes"),
        Saying("eyes:wide", _one("eyes", "wide"), "눈을 크게 뜬", "wide-eyed", "wide open eyes"),
        Saying("mouth:smiling", _one("mouth", "smile", "laughing"), "웃는", "smiling", "a smile"),
        Saying("mouth:laughing", _one("mouth", "laughing"), "활짝 웃는", "laughing",
               "an open mouth"),
        Saying("mouth:frown", _one("mouth", "frown"), "찡그린", "frowning", "a frown"),
        Saying("mouth:neutral", _one("mouth", "neutral"), "무표정한", after="a neutral face"),
        Saying("look:stern", _one("brows", "stern") | _one("mouth", "frown", "neutral"),
               "엄한 표정의", "stern", "a stern look"),
        Saying("look:worried", _one("brows", "worried") | _one("mouth", "frown", "neutral"),
               "걱정스러운 표정의", "worried", "a worried look"),
        Saying("age:young", _one("age", "smooth"), "젊은", "young", "smooth skin"),
        Saying("age:wrinkles", _one("age", "lined", "wrinkled"), "주름이 있는", after="wrinkles"),
        Saying("age:old", _one("age", "wrinkled"), "나이 든", "old", "deep wrinkles"),
        Saying("beard:none", _one("beard", "none"), "수염이 없는", before="clean-shaven"),
        Saying("beard:any", _one("beard", "short", "full"), "수염이 있는", "bearded", "a beard"),
        Saying("beard:short", _one("beard", "short"), "짧은 수염이 있는", after="a short beard"),
        Saying("beard:full", _one("beard", "full"), "덥수룩한 수염이 있는", after="a bushy beard"),
        Saying("beard:moustache", _one("beard", "moustache"), "콧수염이 있는", after="a moustache"),
    )  # fmt: skip


def _worn() -> Iterator[Saying]:
    hats = {"beanie": "비니를", "cap": "야구 모자를", "straw hat": "밀짚모자를",
            "top hat": "실크해트를"}  # fmt: skip
    yield Saying("hat:any", _one("hat", *hats), "모자를 쓴", after="a hat")
    for hat, korean in hats.items():
        yield Saying(f"hat:{hat}", _one("hat", hat), f"{korean} 쓴", after=f"a {hat}")
    glasses, hoops = _one("glasses", "round", "square"), _one("earrings", "hoops")
    yield from (
        Saying("glasses:any", glasses, "안경을 쓴", "bespectacled", "glasses"),
        Saying("glasses:round", _one("glasses", "round"), "둥근 안경을 쓴", after="round glasses"),
        Saying("glasses:square", _one("glasses", "square"), "네모난 안경을 쓴",
               after="square glasses"),
        Saying("glasses:sunglasses", _one("glasses", "sunglasses"), "선글라스를 쓴",
               after="sunglasses"),
        Saying("earrings:any", _one("earrings", "studs", "hoops"), "귀걸이를 한", after="earrings"),
        Saying("earrings:hoops", hoops, "링 귀걸이를 한", after="hoop earrings"),
    )  # fmt: skip
    for garment, korean in GARMENTS.items():
        needs = _one("clothes", garment)
        yield Saying(f"clothes:{garment}", needs, f"{_object(korean)} 입은", after=f"a {garment}",
                     joint="in")  # fmt: skip
        for colour, word in _worded("clothes colour"):
            article = "an" if colour == "orange" else "a"
            yield Saying(f"clothes:{colour} {garment}", needs | _one("clothes colour", colour),
                         f"{word} {_object(korean)} 입은", after=f"{article} {colour} {garment}",
                         joint="in")  # fmt: skip


def _object(noun: str) -> str:
    """A Korean noun as an object: 을 after a consonant, 를 after a vowel."""
    return noun + ("을" if (ord(noun[-1]) - 0xAC00) % 28 else "를")


def _around() -> Iterator[Saying]:
    for colour, korean in _worded("background"):
        article = "an" if colour == "orange" else "a"
        yield Saying(f"background:{colour}", _one("background", colour), f"{korean} 배경의",
                     after=f"{article} {colour} background", joint="on")  # fmt: skip
    media = {"flat": "flat", "watercolour": "watercolour", "pencil": "pencil-drawn",
             "pixel art": "pixel art"}  # fmt: skip
    made = {"flat": "평면 일러스트로", "watercolour": "수채화로", "pencil": "연필로",
            "pixel art": "픽셀 아트로"}  # fmt: skip
    for medium, english in media.items():
        yield Saying(f"medium:{medium}", _one("medium", medium), f"{made[medium]} 그린", english)


SAYINGS = tuple((*_hair(), *_face(), *_worn(), *_around()))
BY_KEY = {s.key: s for s in SAYINGS}
