"""Captions of portraits: whole sentences, and facts for `training.corpora`.

Both tell only what is true, can be seen and is beyond doubt, a few things at a time.
"""

from __future__ import annotations

import random
from collections.abc import Sequence

from limner.training.corpora import Fact
from limner.training.portraits.attributes import Portrait
from limner.training.portraits.sayings import SAYINGS, Saying

NOUNS = {"en": "person", "ko": "사람"}
PERSON = "label:person"
AS_PAINTED = Fact("colour:as painted", {})  # `augment` dyes no picture that has a fact of a colour

OPENINGS = {
    "": ("a portrait of {}", "a cartoon portrait of {}", "{}", "a picture of {}"),
    "flat": ("a flat illustration of {}", "a flat cartoon of {}", "a flat design portrait of {}"),
    "watercolour": ("a watercolour of {}", "a watercolor painting of {}",
                    "a watercolour portrait of {}"),
    "pencil": ("a pencil sketch of {}", "a pencil drawing of {}", "a pencil portrait of {}"),
    "pixel art": ("pixel art of {}", "a pixel art portrait of {}"),
}  # fmt: skip
KOREAN_OPENINGS = {
    "": ("{}의 초상화", "{} 그림", "{}"),
    "flat": ("{}의 평면 일러스트", "평면 일러스트로 그린 {}"),
    "watercolour": ("{}의 수채화", "수채화로 그린 {}"),
    "pencil": ("{}의 연필화", "연필로 그린 {}"),
    "pixel art": ("{}의 픽셀 아트", "픽셀 아트로 그린 {}"),
}


def sentence(
    portrait: Portrait, chance: random.Random, language: str = "en"
) -> tuple[str, frozenset[str]]:
    """A caption that tells one to four things, and the keys of what it tells."""
    told = _chosen(_sayable(portrait), chance.choice((1, 2, 2, 3, 4)), chance)
    medium = portrait.medium if chance.random() < 0.5 else ""
    text = _english(told, chance) if language == "en" else _korean(told)
    openings = OPENINGS if language == "en" else KOREAN_OPENINGS
    keys = {s.key for s in told} | ({f"medium:{medium}"} if medium else set())
    return chance.choice(openings[medium]).format(text), frozenset(keys)


def _sayable(portrait: Portrait) -> list[Saying]:
    """What is plainly true, the medium apart."""
    return [s for s in SAYINGS if not _of_medium(s) and s.plain(portrait)]


def _of_medium(saying: Saying) -> bool:
    return saying.key.startswith("medium:")


def _chosen(sayings: Sequence[Saying], count: int, chance: random.Random) -> list[Saying]:
    """Some of them at random, no two about the same attribute."""
    out: list[Saying] = []
    told: set[str] = set()
    for saying in chance.sample(sayings, len(sayings)):
        if len(out) < count and told.isdisjoint(saying.needs):
            out.append(saying)
            told |= saying.needs.keys()
    return out


def _english(told: Sequence[Saying], chance: random.Random) -> str:
    """ "a smiling person with red hair and round glasses, in a blue hoodie"."""
    before = [s for s in told if s.before and (not s.after or chance.random() < 0.5)]
    words = " ".join([*(s.before for s in before), NOUNS["en"]])
    text = f"{article(words)} {words}"
    rest = [s for s in told if s not in before]
    for joint in ("with", "in", "on"):
        if things := [s.after for s in rest if s.joint == joint]:
            text += f" {joint} {listed(things)}"
    return text


def article(words: str) -> str:
    """A or an."""
    return "an" if words[0] in "aeiou" else "a"


def listed(things: Sequence[str]) -> str:
    """ "a, b and c"."""
    return " and ".join([", ".join(things[:-1]), things[-1]] if len(things) > 1 else things)


def _korean(told: Sequence[Saying]) -> str:
    rank = {"on": 0, "in": 1, "with": 2}  # what lies round first, what is nearest the noun last
    ordered = sorted(told, key=lambda s: rank[s.joint])
    return " ".join([*(s.korean for s in ordered), NOUNS["ko"]])


def facts(portrait: Portrait, chance: random.Random) -> list[Fact]:
    """Facts of a portrait as `corpora.caption` tells them: adjectives, then a label.

    The label is "person", mostly with one thing that follows it; up to two further things, and the
    medium, may come before. All else that is true is there without words: it is not told, but a
    caption that tells it of another portrait fits this one as well.
    """
    sayable = [s for s in SAYINGS if s.plain(portrait)]
    after = [s for s in sayable if s.after]
    label = [chance.choice(after)] if after and chance.random() < 0.85 else []
    left = [s for s in sayable if s.before and not (label and s.needs.keys() & label[0].needs)]
    told = _chosen(left, chance.choice((0, 1, 1, 2)), chance)
    told.sort(key=lambda s: not _of_medium(s))  # "pencil-drawn bald person"
    first = Fact(label[0].key if label else PERSON, _label_words(label))
    worded = [Fact(s.key, {"en": s.before, "ko": s.korean}, 1.5) for s in told]
    known = {first.key, *(f.key for f in worded)}
    silent = [s.key for s in SAYINGS if s.holds(portrait)] + [PERSON]
    return [first, *worded, *(Fact(k, {}) for k in silent if k not in known), AS_PAINTED]


def _label_words(label: Sequence[Saying]) -> dict[str, str]:
    if not label:
        return dict(NOUNS)
    only = label[0]
    return {"en": f"{NOUNS['en']} {only.joint} {only.after}", "ko": f"{only.korean} {NOUNS['ko']}"}
