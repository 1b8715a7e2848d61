from __future__ import annotations

import random
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from limner.training.augment import augment
from limner.training.corpora import caption, fits, join, load
from limner.training.portraits.attributes import ATTRIBUTES, Portrait, hidden
from limner.training.portraits.captions import PERSON, article, facts, listed, sentence
from limner.training.portraits.corpus import portraits
from limner.training.portraits.latent import portraits_of, sample
from limner.training.portraits.painter import paint
from limner.training.portraits.sayings import BY_KEY, SAYINGS
from limner.training.scenes import scenes

HAIRS = "|".join(ATTRIBUTES["hair colour"].classes)
EYES = "|".join(ATTRIBUTES["eye colour"].classes)
CLOTHES = "|".join(ATTRIBUTES["clothes colour"].classes)
GROUNDS = "|".join(ATTRIBUTES["background"].classes)
GARMENTS = "|".join(ATTRIBUTES["clothes"].classes)

# Words, and what they claim of a portrait: told apart from the tables that captions are made of.
CLAIMS: list[tuple[str, Callable[[Portrait, str], bool]]] = [
    (rf"\b({HAIRS})(?:-haired| hair| bob| bun| ponytail| mohawk)\b",
     lambda p, w: p.hair_colour == w and p.hair != "bald" and p.medium != "pencil"),
    (r"\b(bald)\b", lambda p, w: p.hair == "bald" and p.hat == "none"),
    (r"\b(short|long|curly) (?:\w+ )?hair\b", lambda p, w: p.hair == w),
    (r"\b(bob|bun|ponytail|mohawk)\b", lambda p, w: p.hair == w),
    (r"\b(pale|light|tan|brown|dark)(?:-skinned| skin)", lambda p, w: p.skin == w),
    (rf"\b({EYES})(?:-eyed| eyes)", lambda p, w: p.eye_colour == w and p.eyes != "closed"),
    (r"\b(closed) eyes", lambda p, w: p.eyes == w and p.glasses != "sunglasses"),
    (r"\b(round|square) glasses", lambda p, w: p.glasses == w),
    (r"\b(glasses|bespectacled)\b", lambda p, w: p.glasses in ("round", "square")),
    (r"\b(sunglasses)\b", lambda p, w: p.glasses == w),
    (r"\b(smiling|smile)\b", lambda p, w: p.mouth in ("smile", "laughing")),
    (r"\b(frowning|frown)\b", lambda p, w: p.mouth == "frown"),
    (r"\b(laughing|open mouth)\b", lambda p, w: p.mouth == "laughing"),
    (r"\b(beard|bearded)\b", lambda p, w: p.beard in ("short", "full")),
    (r"\b(moustache)\b", lambda p, w: p.beard == "moustache"),
    (r"\b(clean-shaven)\b", lambda p, w: p.beard == "none"),
    (r"\b(hat)\b", lambda p, w: p.hat != "none"),
    (r"\b(cap|beanie|straw hat|top hat)\b", lambda p, w: p.hat == w),
    (r"\b(wrinkles)\b", lambda p, w: p.age != "smooth"),
    (r"\b(earrings)\b", lambda p, w: p.earrings != "none"),
    (rf"\b({GARMENTS})\b", lambda p, w: p.clothes == w),
    (rf"\b({CLOTHES}) (?:{GARMENTS})\b", lambda p, w: p.clothes_colour == w),
    (rf"\b({GROUNDS}) background", lambda p, w: p.background == w and p.medium != "pencil"),
    (r"\b(pencil|pixel art)\b", lambda p, w: p.medium == w),
    (r"\b(watercolou?r)\b", lambda p, w: p.medium == "watercolour"),
    (r"\b(flat)\b", lambda p, w: p.medium == "flat"),
    (r"(?<!선글라스|.야구 )(안경을 쓴)", lambda p, w: p.glasses in ("round", "square")),
    (r"(선글라스)", lambda p, w: p.glasses == "sunglasses"),
    (r"(빨간) (?:머리|단발|곱슬|올림|모히칸)", lambda p, w: p.hair_colour == "red"),
    (r"(금발)", lambda p, w: p.hair_colour == "blond"),
    (r"(모자를|비니를|실크해트를)", lambda p, w: p.hat != "none"),
    (r"(?<!수)(콧수염이 있는)", lambda p, w: p.beard == "moustache"),
    (r"(대머리)", lambda p, w: p.hair == "bald"),
    (r"(연필)", lambda p, w: p.medium == "pencil"),
    (r"(수채화)", lambda p, w: p.medium == "watercolour"),
]  # fmt: skip


def claims_of(text: str) -> list[tuple[str, Callable[[Portrait, str], bool]]]:
    return [(w, true) for pattern, true in CLAIMS for w in re.findall(pattern, text)]


def test_sentences_tell_the_truth() -> None:
    chance = random.Random(17)
    claimed: set[str] = set()
    for person in portraits_of(sample(500, 17)):
        for language in ("en", "ko"):
            text, told = sentence(person, chance, language)
            assert all(BY_KEY[key].holds(person) for key in told)
            for words, true in claims_of(text):
                assert true(person, words), (text, words, person)
                claimed.add(words)
    assert len(claimed) > 60  # of the words above, so that they do find something


def test_every_key_that_is_told_is_in_the_words() -> None:
    chance = random.Random(3)
    for person in portraits_of(sample(150, 3)):
        text, told = sentence(person, chance)
        said = [BY_KEY[key] for key in told]
        for s in said:
            word = {"pencil-drawn": "pencil", "watercolour": "watercolo"}.get(s.before, s.before)
            assert (word and word in text) or (s.after and s.after in text), (text, s.key)
        assert 1 <= len(said) <= 5
        assert text.count(" person") == 1 and "  " not in text and " a o" not in text
        assert re.search(r"[가-힣]", sentence(person, chance, "ko")[0])


def test_nobody_is_given_a_sex() -> None:
    chance = random.Random(2)
    for person in portraits_of(sample(100, 2)):
        text = " ".join(sentence(person, chance, language)[0] for language in ("en", "ko"))
        assert not re.search(r"\b(man|woman|boy|girl|he|she|his|her)\b|남자|여자", text)


def test_what_leans_far_is_not_told() -> None:
    reddish = replace(Portrait(), hair_colour="red", leans={"hair colour": 0.9})
    red = BY_KEY["hair colour:red"]
    assert red.holds(reddish) and not red.plain(reddish)
    laughing = replace(Portrait(), mouth="smile", leans={"mouth": 0.9})
    assert BY_KEY["mouth:smiling"].plain(laughing)  # whichever it is, it is a smile
    first = replace(Portrait(), skin="pale", leans={"skin": -0.9})
    assert BY_KEY["skin:pale"].plain(first)  # there is nothing paler


def test_every_saying_is_true_of_somebody() -> None:
    for s in SAYINGS:
        fields = {a.replace(" ", "_"): classes[0] for a, classes in s.needs.items()}
        assert s.holds(Portrait(**fields)), s.key
        assert s.korean and (s.before or s.after)
    assert len(BY_KEY) == len(SAYINGS)


def test_what_is_hidden_is_not_said() -> None:
    drawn = Portrait(medium="pencil", glasses="sunglasses", hair_colour="red")
    true = [s for s in SAYINGS if s.holds(drawn)]
    assert not any(s.needs.keys() & hidden(drawn) for s in true)
    assert "hair colour:red" not in {s.key for s in true}


def test_facts_make_captions_that_are_true_of_their_picture() -> None:
    chance = random.Random(5)
    for person in portraits_of(sample(200, 5)):
        known = facts(person, chance)
        keys = [f.key for f in known]
        assert len(keys) == len(set(keys)) and PERSON in keys
        assert {s.key for s in SAYINGS if s.holds(person)} <= set(keys)
        for _ in range(4):
            text, told = caption(known, chance)
            assert told <= set(keys) and ("person" in text or "사람" in text)
            for words, true in claims_of(text):
                assert true(person, words), (text, words, person)


def test_a_caption_fits_every_portrait_of_which_it_is_true() -> None:
    chance = random.Random(1)
    a = Portrait(glasses="round", hair_colour="red")
    b = Portrait(glasses="round", hair_colour="black")
    keys = [frozenset(f.key for f in facts(p, chance)) for p in (a, b)]
    told = [frozenset({"glasses:round"}), frozenset({"hair colour:red"}), frozenset({PERSON})]
    assert fits(told, keys).tolist() == [[1, 1, 1], [1, 0, 1]]


def test_portraits_are_a_corpus_like_the_others(tmp_path: Path) -> None:
    corpus = portraits(6, seed=9)
    assert corpus.pictures.shape == (6, 4, 80, 80) and (corpus.pictures[:, 3] == 255).all()
    assert np.array_equal(corpus.pictures, portraits(6, seed=9).pictures)
    first = portraits_of(sample(6, 9))[0]
    assert np.array_equal(corpus.pictures[0, :3], paint(first, 80))
    join([corpus, scenes(2, seed=1)]).save(tmp_path)
    assert load(tmp_path).facts[:6] == corpus.facts


def test_no_portrait_is_dyed() -> None:
    corpus = portraits(24, seed=2)
    rgba = torch.from_numpy(corpus.pictures).float() / 255
    _, added = augment(rgba, corpus.facts, random.Random(4))
    assert not any(added)


@pytest.mark.parametrize(
    ("things", "text"), [(["a"], "a"), (["a", "b"], "a and b"), (["a", "b", "c"], "a, b and c")]
)
def test_things_are_listed(things: list[str], text: str) -> None:
    assert listed(things) == text


def test_articles() -> None:
    assert article("old person") == "an" and article("young person") == "a"
