"""A document is closed while the plugin folds the entries of strokes that it put in."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from layers import closed


def run(host: Any) -> Iterator[float]:
    from limner_krita import document as limner

    for wait_s in (0.1, 0.3):
        yield from closed(host, limner, wait_s)
