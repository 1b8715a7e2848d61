"""Which pictures have a place in a form."""

from __future__ import annotations

import pytest

from limner.methods.registry import METHODS
from limner_front.roles import open_roles


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ((), ["style"]),
        (("style",), ["style", "style2"]),
        (("style", "style2"), ["style", "style2", "style3"]),
        (("style2", "style3"), ["style"]),
        (("style", "style3"), ["style", "style2"]),
    ],
)
def test_a_second_picture_has_its_place_after_the_first(
    given: tuple[str, ...], found: list[str]
) -> None:
    roles = METHODS["styleclipdraw"].inputs
    assert open_roles(roles, given) == [*found, "over", "init", "mask"]


def test_other_roles_are_always_there() -> None:
    assert open_roles(("over", "view2", "level10"), ()) == ["over", "view2", "level10"]
    assert open_roles((), ("style",)) == []
