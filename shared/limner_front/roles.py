"""Which of a method's pictures can be given now: a second of a kind has its place after the first.

The roles are the method's; "style2" follows "style", and "style3" follows "style2", by their names.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable

_NUMBERED = re.compile(r"(.*\D)(\d+)")


def open_roles(roles: Iterable[str], given: Container[str]) -> list[str]:
    """The roles that have a place: all, but for those that follow one without a picture.

    Args:
        roles: of the method, in their order.
        given: the roles that have a picture.
    """
    wanted = list(roles)
    found: list[str] = []
    for role in wanted:
        before = _before(role)
        if before not in wanted or (before in found and before in given):
            found.append(role)
    return found


def _before(role: str) -> str:
    """The role that comes first; nothing if it follows none."""
    match = _NUMBERED.fullmatch(role)
    if match is None or int(match[2]) < 2:
        return ""
    number = int(match[2]) - 1
    return match[1] if number == 1 else f"{match[1]}{number}"
