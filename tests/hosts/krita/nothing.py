"""Does nothing: Krita starts, fills its databases, and ends."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


def run(host: Any) -> Iterator[float]:
    host.result["version"] = host.app.version()
    yield 1.0
