"""How things stand with the backend, said so that an artist knows what to do."""

from __future__ import annotations

import pytest

from limner_front import i18n, link
from limner_front.link import Link
from limner_wire import messages as m
from limner_wire.errors import ErrorCode


@pytest.fixture(autouse=True)
def english() -> None:
    i18n.choose("en")


def test_every_state_has_its_words() -> None:
    assert {state: link.link_words(state) for state in Link}.keys() == set(Link)
    assert link.link_words(Link.READY) == "connected"


@pytest.mark.parametrize("host", ["krita", "blender"])
def test_what_to_install_is_named_for_the_host(host: str) -> None:
    refused = m.Failed(ErrorCode.VERSION.value, "Too old.")
    assert link.refusal_words(refused, host) == link.version_words(host)
    assert f"limner install {host}." in link.version_words(host)


def test_a_refusal_is_said_in_the_plugins_words_or_the_backends() -> None:
    assert "LIMNER_DATA" in link.refusal_words(m.Failed(ErrorCode.FORBIDDEN.value, "No."), "krita")
    busy = link.refusal_words(m.Failed(ErrorCode.QUOTA.value, "No."), "krita")
    assert "busy" in busy and link.status_words(503) == busy
    other = m.Failed(ErrorCode.INTERNAL.value, "It broke.", "Try again.")
    assert link.refusal_words(other, "krita") == "It broke. Try again."
    assert "Something else answers" in link.status_words(404)
