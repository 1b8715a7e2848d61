"""StyleCLIP's latent optimisation (Patashnik et al. 2021, arXiv 2103.17249, section 4).

Moves one latent code until its picture matches a prompt, staying near where it began:

    argmin_w  D_CLIP(G(w), t) + l2 * ||w - w_s||^2 + identity * L_ID(w)        (eq. 1)

in W+, or in style space. The first steps find w_s where a picture is given (`editing`). Afterwards
the way from w_s to w can be gone in part, or further.

In the authors' code the rate of the first step is 0 and the picture is the one before the last
step; here only if asked for (`as_published`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from limner.losses.cutouts import fixed_maps, random_maps
from limner.losses.identity import Identity
from limner.losses.words import Target, Wish, check_wishes, nearness, targets
from limner.methods import editing
from limner.methods.base import Models, Preview, adam_state, restore_adam
from limner.methods.editing import Edit, Portrait, of_generator
from limner.methods.params import Adjustable, Choice, Essential, Help, Memory, Range
from limner.models import arcface
from limner.models.inversion import ramp
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

W_PLUS, STYLES = "w+", "styles"


@dataclass(frozen=True, slots=True)
class Params(editing.Params):
    """An edit that is searched for."""

    steps: Annotated[
        int, Range(limits.STEPS_MIN, limits.STEPS_MAX), Essential(),
        Help("iterations: those that fit the picture, then those of the edit"),
    ] = 200  # fmt: skip
    fit: Annotated[
        int, Range(0, 5000), Help("the first of them bring the picture into the generator")
    ] = 80
    strength: Annotated[
        float, Range(0, 200), Adjustable(), Essential(),
        Help("how much of the way that was found is gone", "%"),
    ] = 100.0  # fmt: skip
    l2: Annotated[
        float, Range(0, 1), Adjustable(), Essential(),
        Help("how strongly it stays near the original"),
    ] = 0.008  # fmt: skip
    identity: Annotated[
        float, Range(0, 1), Adjustable(), Essential(),
        Help("how strongly the face stays the same person"),
    ] = 0.005  # fmt: skip
    rate: Annotated[float, Range(0.0001, 1), Adjustable(), Help("learning rate")] = 0.1
    space: Annotated[str, Choice((W_PLUS, STYLES)), Help("where the code is moved")] = W_PLUS
    views: Annotated[
        int, Range(1, 64), Adjustable(), Memory(),
        Help("how many cutouts of the picture are held to the prompt; 1 is all of it"),
    ] = 1  # fmt: skip
    contrast: Annotated[
        float, Range(0, 1), Adjustable(),
        Help("how much of what the prompt shares with all ordinary things is left out"),
    ] = 0.0  # fmt: skip
    as_published: Annotated[
        bool, Help("as the authors' code: no first step, and the picture before the last")
    ] = False


@dataclass(slots=True)
class State(editing.State):
    """A search between two steps.

    Attributes:
        start: what is moved, where it began; empty while the picture is still being fitted.
        leaves: the same, as it is now; (1, L, w_dim), or (1, channels) for each layer.
        before: where the leaves were before the last step.
        who: the person in the picture, if there is a network that knows people.
    """

    adam: torch.optim.Adam | None = None
    start: list[Tensor] = field(default_factory=list)
    leaves: list[Tensor] = field(default_factory=list)
    before: list[Tensor] = field(default_factory=list)
    aims: Sequence[Target] = ()
    identity: arcface.ArcFace | None = None
    who: Identity | None = None


class LatentOptimization(Edit[Params, State]):
    """The method; see the module's text."""

    name: ClassVar[str] = "latent_optimization"
    title: ClassVar[str] = "Edit by searching"
    about: ClassVar[str] = "A picture's code moves until it matches the words (StyleCLIP)."
    params: ClassVar[type[Params]] = Params
    needs: ClassVar[tuple[str, ...]] = ()

    def fitting(self, params: Params) -> int:
        """The steps that look for w_s."""
        if params.fit + params.tune >= params.steps:
            raise LimnerError(
                ErrorCode.BAD_INPUT,
                f"Fitting takes all of {params.steps} steps.",
                "Ask for more steps, or for fewer that fit.",
            )
        return params.fit

    def begin(
        self, params: Params, portrait: Portrait, models: Models, notices: list[str]
    ) -> State:
        """Find a network that knows people, if there is one."""
        known = of_generator("identity", portrait)
        network = arcface.load(known[0].name, portrait.w.device) if known else None
        if network is None and params.identity:
            notices.append("There is no identity network here: the face may become another's.")
        return State(params, portrait, models.clips, notices=notices, identity=network)

    def aim(self, state: State, params: Params) -> None:
        """What the picture should be, in CLIP's words."""
        asked, was = (params.prompt, params.contrast), (state.params.prompt, state.params.contrast)
        if not state.aims or asked != was:
            check_wishes([Wish(params.prompt)])
            state.aims = targets(state.clips, [Wish(params.prompt)], params.contrast)
        state.params = params

    def step(self, state: State, params: Params) -> Preview:
        """One Adam step on eq. 1, once the picture is found.

        Raises:
            LimnerError: NOT_FINITE if the numbers left all bounds.
        """
        if not state.portrait.is_ready:
            return super().step(state, params)
        if params != state.params:
            self.aim(state, params)
        if not state.leaves:
            self._set_off(state)
        fitted = state.portrait.fit + state.portrait.tune
        progress = (state.step - fitted + (0.0 if params.as_published else 0.5)) / (
            params.steps - fitted
        )
        losses = self._losses(state, self._styles(state, state.leaves))
        self._descend(state, losses, params.rate * ramp(progress))
        state.step += 1
        return self._preview(state, {n: v.detach() for n, v in losses.items()}, "")

    def show(self, state: State, params: Params) -> Preview:
        """More or less of the edit.

        Raises:
            LimnerError: BAD_INPUT for other words, which take a search of their own.
        """
        if params.prompt != state.params.prompt:
            raise LimnerError(
                ErrorCode.BAD_INPUT,
                "Other words take another search.",
                "Begin again with them, or from this picture.",
            )
        return super().show(state, params)

    @torch.no_grad()
    def edited(self, state: State) -> list[Tensor]:
        """Between w_s and w, or beyond."""
        if not state.leaves:
            return state.portrait.generator.styles(state.portrait.w)
        now = state.before if state.params.as_published else state.leaves
        share = state.params.strength / 100
        rows = zip(state.start, now, strict=True)
        return self._styles(state, [torch.lerp(a, b.detach(), share) for a, b in rows])

    def save(self, state: State) -> dict[str, Tensor]:
        """Besides, what is moved, and Adam's moments."""
        if state.adam is None:
            return super().save(state)
        own = {
            f"{name}.{k:02d}": t.detach().clone()
            for name, rows in _moved(state).items()
            for k, t in enumerate(rows)
        }
        return {**super().save(state), **own, **adam_state(state.adam)}

    def restore(self, state: State, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        super().restore(state, saved)
        state.start, state.leaves, state.before, state.adam = [], [], [], None
        if "leaf.00" not in saved:
            return
        adam = self._set_off(state)
        with torch.no_grad():
            for name, rows in _moved(state).items():
                for k, row in enumerate(rows):
                    row.copy_(saved[f"{name}.{k:02d}"])
        restore_adam(adam, saved)

    def _set_off(self, state: State) -> torch.optim.Adam:
        """From the picture's code: the leaves, and what moves them."""
        w, generator = state.portrait.w, state.portrait.generator
        with torch.no_grad():
            start = [w] if state.params.space == W_PLUS else generator.styles(w)
            state.start = [t.clone() for t in start]
            if state.identity is not None:
                state.who = Identity(state.identity, state.portrait.painted(generator.styles(w)))
        state.leaves = [t.clone().requires_grad_(True) for t in state.start]
        state.before = [t.clone() for t in state.start]
        layers = generator.config.style_layers
        moved = [
            leaf
            for k, leaf in enumerate(state.leaves)
            if state.params.space == W_PLUS or not layers[k].is_rgb
        ]
        state.adam = torch.optim.Adam([{"params": [leaf]} for leaf in moved])
        return state.adam

    def _styles(self, state: State, leaves: Sequence[Tensor]) -> list[Tensor]:
        if state.params.space == STYLES:
            return list(leaves)
        return state.portrait.generator.styles(leaves[0])

    def _losses(self, state: State, styles: Sequence[Tensor]) -> dict[str, Tensor]:
        """The terms of eq. 1, weighted, each ()."""
        params, image = state.params, state.portrait.painted(styles)
        far = sum(
            (a - b).square().sum() for a, b in zip(state.leaves, state.start, strict=True)
        )  # a sum, as in the authors' code
        losses = {"words": 1 - self._near(state, image), "l2": params.l2 * torch.as_tensor(far)}
        if state.who is not None and params.identity:
            losses["identity"] = params.identity * state.who.far(image)
        return losses

    def _near(self, state: State, image: Tensor) -> Tensor:
        """() the cosine between the picture, or cutouts of it, and the prompt."""
        shown, maps = (image[0] + 1) / 2, fixed_maps(1)
        if state.params.views > 1:
            chance = torch.Generator().manual_seed(state.params.seed * 1_000_003 + state.step)
            maps = torch.cat([maps, random_maps(state.params.views - 1, chance)])
        return nearness(shown, maps.to(image.device), state.aims, shown.new_ones(3))

    def _descend(self, state: State, losses: Mapping[str, Tensor], rate: float) -> None:
        assert state.adam is not None  # noqa: S101
        loss = torch.stack(list(losses.values())).sum()
        if not bool(loss.isfinite()):
            raise LimnerError(
                ErrorCode.NOT_FINITE,
                f"The numbers left all bounds at step {state.step}.",
                "What was found so far is kept; lower the rate and try again.",
            )
        for group in state.adam.param_groups:
            group["lr"] = rate
        state.adam.zero_grad()
        loss.backward()
        with torch.no_grad():
            for before, leaf in zip(state.before, state.leaves, strict=True):
                before.copy_(leaf)
        state.adam.step()


def _moved(state: State) -> dict[str, list[Tensor]]:
    """What of a search is kept, by name."""
    return {"start": state.start, "leaf": state.leaves, "before": state.before}
