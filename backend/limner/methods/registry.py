"""All methods by name. A new one is a file and a line here, or a file in a folder of the user's
(`own`); every front end then has its form."""

from __future__ import annotations

from typing import Any, cast

from limner.methods import own
from limner.methods.base import Method
from limner.methods.blend import Blend
from limner.methods.clipdraw import ClipDraw
from limner.methods.clipdraw3d import ClipDraw3D
from limner.methods.global_directions import GlobalDirections
from limner.methods.imagine import Imagine
from limner.methods.latent_mapper import LatentMapper
from limner.methods.latent_optimization import LatentOptimization
from limner.methods.nada import Nada
from limner.methods.probe import Probe
from limner.methods.race import Race
from limner.methods.styleclipdraw import StyleClipDraw
from limner.methods.text_diff import TextDiff
from limner.methods.trace import Trace
from limner.methods.variations import Variations

METHODS: dict[str, Method[Any, Any]] = {
    m.name: m
    for m in (
        *(cast(Method[Any, Any], Race(m)) for m in (ClipDraw(), StyleClipDraw(), ClipDraw3D())),
        Trace(), GlobalDirections(), LatentOptimization(), LatentMapper(), Nada(), Imagine(),
        Variations(), Blend(), TextDiff(), Probe(),
    )
}  # fmt: skip
METHODS |= {m.name: m for m in own.found(METHODS)}
