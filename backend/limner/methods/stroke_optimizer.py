"""Strokes as they are optimised: the leaves, their Adam groups, and what holds them in bounds.

The rates, their schedule and the clamps are those of the CLIPDraw authors' code (145dcc0), for a
canvas of 224 px and 1000 steps: points 1.0 px, falling to 0.4 at half and 0.1 at three quarters of
the way; width 0.2 px (0.1 of diffvg's radius); colour 0.01. On another canvas the pixel rates
grow with it. In fewer steps each has to go further: rates grow with the root of 1000 / steps,
down to 100.

Strokes in space have a fourth leaf, their depth, which moves as fast as the points do; they stay in
the box that the wire can carry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import ClassVar

import torch
from torch import Tensor

from limner.methods.base import adam_state, restore_adam
from limner.methods.canvas import Canvas
from limner.vector.strokes import Strokes
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.strokes import MARGIN, NEAREST

POINT_RATE_PX, WIDTH_RATE_PX, COLOUR_RATE = 1.0, 0.2, 0.01
WIDTH_BOUNDS_PX = (2.0, 100.0)
PAPER_STEPS, FEWEST_STEPS = 1000, 100
SCHEDULE = ((0.0, 1.0), (0.5, 0.4), (0.75, 0.1))  # from this part of the steps, this much


@dataclass(frozen=True, slots=True)
class Rates:
    """Factors on the three learning rates; 1 is the paper's."""

    points: float = 1.0
    width: float = 1.0
    colour: float = 1.0


class StrokeOptimizer:
    """The leaves and their Adam.

    Args:
        strokes: where to begin.
        canvas: what they are drawn on.
        steps: how many there will be.
        freeze: any of "position", "width", "colour".
        locked: (S,) bool, strokes that stay as they are; or None.
        palette: (N, 3) the only colours allowed, or None for all.
    """

    descent: ClassVar[Callable[..., torch.optim.Optimizer]] = partial(torch.optim.Adam, fused=True)

    def __init__(
        self,
        strokes: Strokes,
        canvas: Canvas,
        steps: int,
        *,
        freeze: Sequence[str] = (),
        locked: Tensor | None = None,
        palette: Tensor | None = None,
    ) -> None:
        self.strokes = strokes.detach()
        self.locked, self.palette = locked, palette
        self._canvas, self._freeze = canvas, tuple(freeze)
        self._haste = max(1.0, (PAPER_STEPS / max(steps, FEWEST_STEPS)) ** 0.5)
        for leaf in self._leaves():
            leaf.requires_grad_(True)
        self.adam = self.descent(self._groups(), lr=0.0)
        self._good = strokes.detach()
        self.failures = 0  # in a row

    def _groups(self) -> list[dict[str, object]]:
        s = self.strokes
        named = [("position", s.points), ("width", s.width), ("colour", s.rgba)]
        if s.depth is not None:
            named.append(("position", s.depth))
        return [{"params": [leaf], "name": n} for n, leaf in named if n not in self._freeze]

    def drawn(self) -> Strokes:
        """The strokes as they are painted: with the palette's colours, if there is one."""
        if self.palette is None:
            return self.strokes
        rgb, alpha = self.strokes.rgba[:, :3], self.strokes.rgba[:, 3:]
        snapped = nearest(rgb.detach(), self.palette)
        if self.locked is not None:
            snapped = torch.where(self.locked[:, None], rgb.detach(), snapped)
        rgba = torch.cat([rgb + (snapped - rgb).detach(), alpha], 1)  # straight-through
        return replace(self.strokes, rgba=rgba)

    def descend(self, loss: Tensor, progress: float, rates: Rates) -> bool:
        """One step down `loss` at `progress` in [0, 1] of the run.

        Returns:
            False if a number was not finite: the strokes are then those of the last good step,
            and Adam begins anew.
        """
        self._set_rates(progress, rates)
        for leaf in self._leaves():
            leaf.grad = None
        loss.backward()
        self._hold_locked()
        before = self.strokes.detach()
        self.adam.step()
        if not all_finite([loss, *self._leaves()]):  # as they are after a gradient that is not
            return self._roll_back()
        self._clamp()
        self._good = before
        self.failures = 0
        return True

    def stumbled(self, step: int) -> str:
        """What to tell the artist when `descend` took a step back.

        Raises:
            LimnerError: NOT_FINITE if it was not the first in a row.
        """
        if self.failures > 1:
            raise LimnerError(
                ErrorCode.NOT_FINITE,
                f"The numbers left all bounds twice in a row at step {step}.",
                "The drawing so far is kept; lower the rates and go on from it.",
            )
        return f"Step {step} gave numbers that are not finite: back to the last good one."

    def saved(self) -> dict[str, Tensor]:
        """Copies of the leaves, the last good ones, Adam's moments, and the failures in a row."""
        tensors = {n: t.detach().clone() for n, t in leaves(self.strokes).items()}
        tensors |= {f"good.{n}": t.clone() for n, t in leaves(self._good).items()}
        return tensors | adam_state(self.adam) | {"failures": torch.tensor(self.failures)}

    @torch.no_grad()
    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what `saved` was; the strokes are as many as there were."""
        for name, leaf in leaves(self.strokes).items():
            leaf.copy_(saved[name])
        good = {name: saved[f"good.{name}"].clone() for name in leaves(self.strokes)}
        self._good = Strokes(offsets=self.strokes.offsets, **good)
        self.adam = self.descent(self._groups(), lr=0.0)
        restore_adam(self.adam, saved)
        self.failures = int(saved["failures"])

    def _leaves(self) -> list[Tensor]:
        return list(leaves(self.strokes).values())

    def _set_rates(self, progress: float, rates: Rates) -> None:
        late = [factor for start, factor in SCHEDULE if progress >= start][-1]
        unit = self._canvas.unit_px
        rate = {
            "position": POINT_RATE_PX * unit * late * rates.points,
            "width": WIDTH_RATE_PX * unit * rates.width,
            "colour": COLOUR_RATE * rates.colour,
        }
        for group in self.adam.param_groups:
            group["lr"] = rate[group["name"]] * self._haste

    def _hold_locked(self) -> None:
        if self.locked is None:
            return
        for leaf, rows in (
            (self.strokes.points, self.locked[self.strokes.owner]),
            (self.strokes.width, self.locked),
            (self.strokes.rgba, self.locked),
        ):
            if leaf.grad is not None:
                leaf.grad[rows] = 0  # Adam does not move what never had a gradient

    @torch.no_grad()
    def _clamp(self) -> None:
        low, high = (bound * self._canvas.unit_px for bound in WIDTH_BOUNDS_PX)
        free = slice(None) if self.locked is None else ~self.locked
        self.strokes.width[free] = self.strokes.width[free].clamp(low, high)
        self.strokes.rgba[free] = self.strokes.rgba[free].clamp(0, 1)
        if self.strokes.depth is not None:
            side = self.strokes.points.new_tensor(self._canvas.size[::-1])
            self.strokes.points.clamp_(-MARGIN * side, (1 + MARGIN) * side)
            self.strokes.depth.clamp_(-NEAREST * side.max(), NEAREST * side.max())

    @torch.no_grad()
    def _roll_back(self) -> bool:
        for name, good in leaves(self._good).items():
            leaves(self.strokes)[name].copy_(good)
        self.adam = self.descent(self._groups(), lr=0.0)
        self.failures += 1
        return False


def leaves(strokes: Strokes) -> dict[str, Tensor]:
    """What of strokes is optimised, by name."""
    named = {"points": strokes.points, "width": strokes.width, "rgba": strokes.rgba}
    return named if strokes.depth is None else named | {"depth": strokes.depth}


def all_finite(tensors: Sequence[Tensor]) -> bool:
    """Whether every number is finite; one look at the device for all of them."""
    return bool(torch.cat([t.detach().flatten() for t in tensors]).isfinite().all())


def nearest(rgb: Tensor, palette: Tensor) -> Tensor:
    """(S, 3): for each colour the palette's nearest."""
    return palette[torch.cdist(rgb, palette).argmin(1)]
