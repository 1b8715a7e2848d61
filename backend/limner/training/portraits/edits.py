"""Edits whose success can be counted: what each changes, and the words that ask for it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from limner.training.portraits.attributes import ATTRIBUTES, Portrait, hidden
from limner.training.portraits.latent import changed

NEUTRAL, NEUTRAL_KO = "a person", "사람"


@dataclass(frozen=True, slots=True)
class Edit:
    """One change to a portrait, in words and in attributes.

    Attributes:
        classes: of the attribute; any of them is success. `made` takes the first.
        prompt, prompt_ko: what is asked for; neutral, neutral_ko: the same without the change.
        frees: further attributes that the change itself may hide or move.
    """

    attribute: str
    classes: tuple[str, ...]
    prompt: str
    prompt_ko: str
    neutral: str = NEUTRAL
    neutral_ko: str = NEUTRAL_KO
    frees: tuple[str, ...] = ()

    def kept(self) -> tuple[str, ...]:
        """The attributes that should stay as they are."""
        return tuple(a for a in ATTRIBUTES if a != self.attribute and a not in self.frees)

    def target(self) -> tuple[int, ...]:
        """The indices of the classes that are success."""
        return tuple(ATTRIBUTES[self.attribute].classes.index(c) for c in self.classes)

    def applies(self, portrait: Portrait) -> bool:
        """Whether the portrait has not got it yet, and would show it."""
        seen = self.attribute not in hidden(portrait)
        return seen and portrait[self.attribute] not in self.classes

    def made(self, z: NDArray[np.floating]) -> NDArray[np.float32]:
        """(64,) the code of the edited portrait: what a perfect edit of (64,) z comes to."""
        return changed(z, self.attribute, self.classes[0])


HAIR, HAIR_KO = "a person with hair", "머리카락이 있는 사람"

EDITS = {  # the first six are those of the measurement
    "red hair": Edit("hair colour", ("red",), "a person with red hair", "빨간 머리의 사람", HAIR,
                     HAIR_KO),
    "glasses": Edit("glasses", ("round", "square"), "a person with glasses", "안경을 쓴 사람"),
    "smile": Edit("mouth", ("smile", "laughing"), "a smiling person", "웃는 사람"),
    "beard": Edit("beard", ("full", "short"), "a person with a beard", "수염이 있는 사람",
                  frees=("face",)),
    "hat": Edit("hat", ("cap", "beanie", "straw hat", "top hat"), "a person with a hat",
                "모자를 쓴 사람", frees=("hair", "hair colour")),
    "pale skin": Edit("skin", ("pale",), "a person with pale skin", "창백한 피부의 사람",
                      "a person with skin", "피부의 사람"),
    "blond hair": Edit("hair colour", ("blond",), "a person with blond hair", "금발 머리의 사람",
                       HAIR, HAIR_KO),
    "blue hair": Edit("hair colour", ("blue",), "a person with blue hair", "파란 머리의 사람", HAIR,
                      HAIR_KO),
    "long hair": Edit("hair", ("long",), "a person with long hair", "긴 머리의 사람", HAIR,
                      HAIR_KO, frees=("earrings", "hair colour")),
    "curly hair": Edit("hair", ("curly",), "a person with curly hair", "곱슬머리의 사람", HAIR,
                       HAIR_KO, frees=("earrings", "hair colour")),
    "mohawk": Edit("hair", ("mohawk",), "a person with a mohawk", "모히칸 머리의 사람", HAIR,
                   HAIR_KO, frees=("earrings", "hair colour")),
    "bald": Edit("hair", ("bald",), "a bald person", "대머리인 사람",
                 frees=("earrings", "hair colour")),
    "sunglasses": Edit("glasses", ("sunglasses",), "a person with sunglasses", "선글라스를 쓴 사람",
                       frees=("eyes", "eye colour")),
    "moustache": Edit("beard", ("moustache",), "a person with a moustache", "콧수염이 있는 사람"),
    "frown": Edit("mouth", ("frown",), "a frowning person", "찡그린 사람"),
    "laugh": Edit("mouth", ("laughing",), "a laughing person", "활짝 웃는 사람"),
    "dark skin": Edit("skin", ("dark",), "a person with dark skin", "어두운 피부의 사람",
                      "a person with skin", "피부의 사람"),
    "old": Edit("age", ("wrinkled", "lined"), "an old person", "나이 든 사람"),
    "closed eyes": Edit("eyes", ("closed",), "a person with closed eyes", "눈을 감은 사람",
                        frees=("eye colour",)),
    "green eyes": Edit("eye colour", ("green",), "a person with green eyes", "초록 눈의 사람",
                       "a person with eyes", "눈이 있는 사람"),
    "earrings": Edit("earrings", ("hoops", "studs"), "a person with earrings", "귀걸이를 한 사람"),
    "suit": Edit("clothes", ("suit",), "a person in a suit", "양복을 입은 사람"),
    "blue background": Edit("background", ("blue",), "a person on a blue background",
                            "파란 배경의 사람", "a person on a background", "배경의 사람"),
    "pencil": Edit("medium", ("pencil",), "a pencil drawing of a person", "연필로 그린 사람",
                   frees=("hair colour", "eye colour", "clothes colour", "background")),
    "watercolour": Edit("medium", ("watercolour",), "a watercolour of a person",
                        "수채화로 그린 사람"),
    "pixel art": Edit("medium", ("pixel art",), "pixel art of a person", "픽셀 아트로 그린 사람",
                      frees=("face",)),
}  # fmt: skip
MEASURED = ("red hair", "glasses", "smile", "beard", "hat", "pale skin")
