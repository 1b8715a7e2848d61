"""StyleCLIP's latent optimisation (Patashnik et al. 2021, arXiv 2103.17249, section 4).

Moves one latent code until its picture matches a prompt, staying near where it began:

    argmin_w  D_CLIP(G(w), t) + l2 * ||w - w_s||^2 + identity * L_ID(w)        (eq. 1)

in W+, or in style space. The first steps find w_s where a picture is given (`editing`). Afterwards
the way from w_s to w can be gone in part, or further.

Given a neutral text, the change of the picture is besides held to the change of words, as
StyleGAN-NADA has it (Gal et al. 2022, arXiv 2108.00946, eq. 2): what the words do not speak of
then stays as it was.

What moves one picture to a text need not mean anything to an eye. So `others` like it can be asked
to come there with it, by the same step: a step that brings them all is an edit. It can be asked to
be `sparse`: numbers of the code that need not change then do not. And words may lie behind a hill,
and beside it a hollow that only the model knows. The generator's own pictures tell the way: a
search can begin with a `leap` towards those that lie furthest along the words (our own, all three).

In the authors' code the rate of the first step is 0 and the picture is the one before the last
step; here only if asked for (`as_published`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, ClassVar

import torch
from torch import Tensor

from limner.chance import random_of
from limner.losses.cutouts import fixed_maps, random_maps
from limner.losses.domain import astray
from limner.losses.identity import Identity
from limner.losses.words import Target, Wish, check_wishes, seen, targets
from limner.methods import editing
from limner.methods.base import Models, Preview, adam_state, restore_adam
from limner.methods.crowd import AT_ONCE_PX, crowd, toward
from limner.methods.editing import Edit, Portrait, of_generator
from limner.methods.params import Adjustable, Choice, Essential, Help, Memory, Range
from limner.models import arcface
from limner.models.directions import text_change
from limner.models.inversion import ramp
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

W_PLUS, W, STYLES = "w+", "w", "styles"
LIKENESS = 0.5  # how far from the picture others lie, in deviations of W
FARTHEST, PLACES = 4.0, 21  # of a leap, in parts of each way; on each


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
    neutral: Annotated[
        str, Adjustable(), Essential(),
        Help("what it is before, such as: a person; then the change is held to the words' change"),
    ] = ""  # fmt: skip
    l2: Annotated[
        float, Range(0, 1), Adjustable(), Essential(),
        Help("how strongly it stays near the original"),
    ] = 0.008  # fmt: skip
    sparse: Annotated[
        float, Range(0, 1), Adjustable(),
        Help("how strongly each number of the code stays as it was unless it must change"),
    ] = 0.0  # fmt: skip
    identity: Annotated[
        float, Range(0, 1), Adjustable(), Essential(),
        Help("how strongly the face stays the same person"),
    ] = 0.005  # fmt: skip
    rate: Annotated[float, Range(0.0001, 1), Adjustable(), Help("learning rate")] = 0.1
    space: Annotated[
        str, Choice((W_PLUS, W, STYLES)), Help("where the code is moved; w: all layers alike")
    ] = W_PLUS
    views: Annotated[
        int, Range(1, 64), Adjustable(), Memory(),
        Help("how many cutouts of the picture are held to the prompt; 1 is all of it"),
    ] = 1  # fmt: skip
    others: Annotated[
        int, Range(0, 16), Adjustable(), Memory(),
        Help("how many like it must come there too: less comes that nobody sees but the model"),
    ] = 0  # fmt: skip
    leap: Annotated[
        int, Range(0, 4096),
        Help("how many of the generator's own pictures say where the words lie, to begin there"),
    ] = 0  # fmt: skip
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
        aims: what each CLIP should see; `ways`, the (D,) unit changes of words, where a neutral
            text is given.
        was: (1, 3, S, S), what the generator paints at the start; `whole`, (1, D), what each CLIP
            sees of it.
        identity: what knows people, if it is here; `known`, who is to be seen.
    """

    adam: torch.optim.Adam | None = None
    start: list[Tensor] = field(default_factory=list)
    leaves: list[Tensor] = field(default_factory=list)
    before: list[Tensor] = field(default_factory=list)
    aims: Sequence[Target] = ()
    ways: Sequence[Tensor] = ()
    was: Tensor | None = None
    whole: Sequence[Tensor] = ()
    identity: arcface.ArcFace | None = None
    known: Identity | None = None


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
        if not state.aims or _words(params) != _words(state.params):
            check_wishes([Wish(params.prompt)])
            neutral, aims = params.neutral.strip(), targets(
                state.clips, [Wish(params.prompt)], params.contrast
            )  # fmt: skip
            ways = [text_change(a.clip, params.prompt, neutral) for a in aims] if neutral else []
            state.aims, state.ways = aims, ways
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
            if params.leap:
                self._leap(state)
        fitted = state.portrait.fit + state.portrait.tune
        progress = (state.step - fitted + (0.0 if params.as_published else 0.5)) / (
            params.steps - fitted
        )
        losses = self._losses(state)
        self._descend(state, losses, params.rate * ramp(progress))
        state.step += 1
        return self._preview(state, {n: v.detach() for n, v in losses.items()}, "")

    def show(self, state: State, params: Params) -> Preview:
        """More or less of the edit.

        Raises:
            LimnerError: BAD_INPUT for other words, which take a search of their own.
        """
        if _words(params) != _words(state.params):
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
            start = [w] if state.params.space != STYLES else generator.styles(w)
            state.start = [t.clone() for t in start]
            state.was = self._painted(state, state.start)
            state.whole = [seen(aim.clip, state.was) for aim in state.aims]
        if state.identity is not None:
            state.known = Identity(state.identity, state.was)
        state.leaves = [t.clone().requires_grad_(True) for t in state.start]
        state.before = [t.clone() for t in state.start]
        state.adam = torch.optim.Adam([{"params": [leaf]} for leaf in state.leaves])
        return state.adam

    def _styles(
        self, state: State, leaves: Sequence[Tensor], near: Tensor | None = None
    ) -> list[Tensor]:
        """(B, channels) of style space for each layer, of leaves with (B, L, w_dim) added to the
        code; nothing if None."""
        w, generator = state.portrait.w, state.portrait.generator
        if state.params.space != STYLES:
            return generator.styles(leaves[0] if near is None else leaves[0] + near)
        if near is None:
            return list(leaves)
        rows = zip(leaves, generator.styles(w + near), generator.styles(w), strict=True)
        return [leaf + beside - own for leaf, beside, own in rows]

    @torch.no_grad()
    def _leap(self, state: State) -> None:
        """Begin where the words are nearest, of the start and places on lines through it: towards
        those of the generator's own pictures that are furthest along the words, and beyond."""
        generator, params = state.portrait.generator, state.params
        codes, along = self._along(state)
        crowd = [codes] if params.space != STYLES else generator.styles(codes)
        ways = self._slopes(state, [toward(rows, along) for rows in crowd])
        off = torch.linspace(0, FARTHEST, PLACES).to(along)
        lines = [a + torch.tensordot(off, b, 0).flatten(0, 1)
                 for a, b in zip(state.start, ways, strict=True)]  # fmt: skip
        at_once = max(1, AT_ONCE_PX // generator.config.size**2)
        some = zip(*(places.split(at_once) for places in lines), strict=True)
        away = [self._far(state, self._painted(state, places), state.ways) for places in some]
        best = int(torch.cat(away).argmin())
        for leaf, places in zip(state.leaves, lines, strict=True):
            leaf.copy_(places[best : best + 1])

    def _along(self, state: State) -> tuple[Tensor, Tensor]:
        """(N, L, w_dim), codes of the generator's own pictures, and (N,), how far along the words'
        change each lies, or else how near to the prompt."""
        along: Tensor | float = 0.0
        for k, aim in enumerate(state.aims):
            codes, eyes = crowd(state.portrait.given, aim.clip, state.params.leap)
            words = state.ways[k] if state.ways else aim.texts.T @ aim.weights
            along = along + aim.share * (eyes @ words)
        return codes, torch.as_tensor(along)

    def _painted(
        self, state: State, leaves: Sequence[Tensor], near: Tensor | None = None
    ) -> Tensor:
        """(B, 3, S, S), what is painted there; see `_styles`."""
        return state.portrait.painted(self._styles(state, leaves, near))

    def _losses(self, state: State) -> dict[str, Tensor]:
        """The terms of eq. 1, weighted, each ()."""
        params = state.params
        after = self._painted(state, state.leaves, self._near_codes(state))
        moved = [a - b for a, b in zip(state.leaves, state.start, strict=True)]
        far = sum(m.square().sum() for m in moved)  # a sum, as in the authors' code
        losses = {"words": self._far(state, after, state.ways).mean(),
                  "l2": params.l2 * torch.as_tensor(far)}  # fmt: skip
        if params.sparse:
            losses["sparse"] = params.sparse * torch.as_tensor(sum(m.abs().sum() for m in moved))
        if state.known is not None and params.identity:
            losses["identity"] = params.identity * state.known.far(after[:1])
        return losses

    def _near_codes(self, state: State) -> Tensor:
        """(1 + others, L, w_dim), what is added to the picture's code: nothing first, then ways to
        others like it."""
        generator, params = state.portrait.generator, state.params
        none = torch.zeros_like(state.portrait.w)
        if not params.others:
            return none
        chance = random_of(params.seed, state.step)
        others = generator.random(params.others, chance, LIKENESS) - generator.w_avg
        return torch.cat([none, others])

    def _far(self, state: State, after: Tensor, ways: Sequence[Tensor]) -> Tensor:
        """(B,) 1 less the cosine between each picture, or cutouts of it, and the prompt; besides,
        given the words' change, as much between it and the picture's change from the start."""
        assert state.was is not None  # noqa: S101
        maps = None
        if state.params.views > 1:
            chance = random_of(state.params.seed, state.step)
            maps = torch.cat([fixed_maps(1), random_maps(state.params.views - 1, chance)])
        far = after.new_zeros(len(after))
        for k, aim in enumerate(state.aims):
            now = seen(aim.clip, after, maps)
            words = 1 - now @ aim.texts.T @ aim.weights
            if ways:
                was = state.whole[k] if maps is None else seen(aim.clip, state.was, maps)
                words = words + astray(was.repeat(len(after), 1), now, ways[k])
            far = far + aim.share * words.view(len(after), -1).mean(1)
        return far

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
        slopes = self._slopes(state, [g for leaf in state.leaves if (g := leaf.grad) is not None])
        for leaf, down in zip(state.leaves, slopes, strict=True):
            leaf.grad = down
        with torch.no_grad():
            for before, leaf in zip(state.before, state.leaves, strict=True):
                before.copy_(leaf)
        state.adam.step()

    @staticmethod
    def _slopes(state: State, gradients: Sequence[Tensor]) -> list[Tensor]:
        """Of what is moved: in W, all layers' mean; in style space, none of the colours'."""
        if state.params.space == W:
            return [g.mean(1, keepdim=True).expand_as(g).contiguous() for g in gradients]
        if state.params.space == STYLES:
            layers = state.portrait.generator.config.style_layers
            rows = zip(layers, gradients, strict=True)
            return [torch.zeros_like(g) if layer.is_rgb else g for layer, g in rows]
        return list(gradients)


def _words(params: Params) -> tuple[str, str, float]:
    return params.prompt, params.neutral.strip(), params.contrast


def _moved(state: State) -> dict[str, list[Tensor]]:
    """What of a search is kept, by name."""
    return {"start": state.start, "leaf": state.leaves, "before": state.before}
