"""StyleGAN-NADA (Gal et al. 2022, arXiv 2108.00946): a generator learns a domain that exists only
in words, or in a few pictures.

What is shown is a sheet of samples, and the artist's own picture in the new domain as its first;
one slider goes back towards the generator as it was, and beyond what it has become, another keeps
its coarse layers. What is kept at the end is a generator like any other, and the artist's own
picture as it paints it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.utils import make_grid  # type: ignore[import-untyped]

from limner.losses import domain
from limner.losses.cutouts import fixed_maps, random_maps
from limner.losses.words import Wish, check_wishes, seen, strange_words
from limner.methods.base import EDIT, STYLES, Inputs, Models, Preview, Result
from limner.methods.crowd import crowd, slope
from limner.methods.editing import Portrait
from limner.methods.params import Adjustable, Choice, Essential, Help, Memory, Names, Range, check
from limner.models import networks
from limner.models.adaptation import PHASES, Adaptation, Settings, mixed, swapped
from limner.models.clip import Clip, Weighted
from limner.models.loading import read_weights
from limner.models.networks import leave
from limner.models.stylegan2 import Generator
from limner.pictures import encode_png
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

SOURCE = "a picture"
SAMPLES = "samples.png"
CELL_PX = 256  # a sample is shown no larger
TRUNCATION = 0.7  # of the samples that are shown
GENERATED = 64  # pictures that stand for the source where style pictures say what is aimed at
PATCH = 0.5  # a patch's side, in sides of the picture


@dataclass(frozen=True, slots=True)
class Params:
    """How a generator moves to another domain."""

    prompt: Annotated[str, Help("what its pictures should become, as: a pencil sketch")]
    source: Annotated[
        str, Essential(), Help("what its pictures are, as: a photo; none for a picture")
    ] = ""
    steps: Annotated[
        int, Range(limits.STEPS_MIN, limits.STEPS_MAX), Essential(), Help("iterations")
    ] = 300  # fmt: skip
    amount: Annotated[
        float, Range(0, 150), Adjustable(), Essential(),
        Help("0 is the generator as it was, 100 what it has become", "%"),
    ] = 100.0  # fmt: skip
    keep_px: Annotated[
        int, Range(0, 1024), Adjustable(),
        Help("layers coarser than this stay as they were, and with them shapes; 0 for none", "px"),
    ] = 0  # fmt: skip
    rate: Annotated[
        float, Range(1e-5, 0.05), Adjustable(), Help("learning rate")
    ] = 0.002  # fmt: skip
    cooldown: Annotated[
        float, Range(0, 1), Adjustable(),
        Help("the last part of the steps, over which the rate falls to nothing"),
    ] = 0.0  # fmt: skip
    batch: Annotated[int, Range(1, 64), Memory(), Help("pictures in a step")] = 4
    views: Annotated[
        int, Range(1, 64), Adjustable(), Memory(),
        Help("cutouts of each picture that are looked at; 1 is all of it, as the authors have it"),
    ] = 1  # fmt: skip
    layers: Annotated[
        int, Range(0, 18), Adjustable(),
        Help("how many layers learn at a time, those that matter most; 0 for all"),
    ] = 0  # fmt: skip
    layer_steps: Annotated[int, Range(1, 20), Help("steps that find the layers")] = 1
    as_published: Annotated[
        bool, Help("choose layers as the authors' code does, one beside those that it found")
    ] = False
    phase: Annotated[
        str, Choice(tuple(PHASES)), Help("what learns at all; affine: only how codes are read")
    ] = "usual"
    leap: Annotated[
        int, Range(0, 4096),
        Help("how many of its own pictures say where the domain lies, to begin there"),
    ] = 0  # fmt: skip
    direction: Annotated[
        float, Range(0, 100), Adjustable(), Help("how strongly pictures move as the words do")
    ] = 1.0  # fmt: skip
    distance: Annotated[
        float, Range(0, 100), Adjustable(), Help("how strongly they move as far as they should")
    ] = 0.0  # fmt: skip
    reach: Annotated[
        float, Range(0.01, 2), Adjustable(),
        Help("how far that is, in parts of how far the words are apart; style pictures say it"),
    ] = 0.3  # fmt: skip
    whole: Annotated[
        float, Range(0, 100), Adjustable(), Help("how strongly they are drawn to the prompt itself")
    ] = 0.0  # fmt: skip
    patches: Annotated[
        float, Range(0, 100), Adjustable(), Help("how strongly parts of them move as the words do")
    ] = 0.0  # fmt: skip
    manifold: Annotated[
        float, Range(0, 100), Adjustable(), Help("how strongly they move as far as the words do")
    ] = 0.0  # fmt: skip
    texture: Annotated[
        float, Range(0, 100), Adjustable(), Help("how strongly they look like the style pictures")
    ] = 0.0  # fmt: skip
    mixing: Annotated[
        float, Range(0, 1), Help("the part of the latents that are mixed of two")
    ] = 0.0  # fmt: skip
    truncation: Annotated[
        float, Range(0.1, 1), Help("how far from the mean the latents lie that it learns on")
    ] = 1.0  # fmt: skip
    shared_noise: Annotated[
        bool, Help("the same noise before and after, which the authors do not have")
    ] = True
    samples: Annotated[int, Range(1, 64), Help("how many samples are shown")] = 8
    fit: Annotated[
        int, Range(0, 2000), Help("steps that bring your own picture into the generator")
    ] = 60  # fmt: skip
    generator: Annotated[
        str, Names("generator"), Help("which generator learns; none for the first there is")
    ] = ""
    called: Annotated[str, Help("the new generator's name; none for one made of the prompt")] = ""
    latents: Annotated[
        str, Names("latents"), Help("latents to learn on, by name; none for random ones")
    ] = ""
    seed: Annotated[int, Range(0, limits.SEED_MAX), Help("of latents, noise and samples")] = 0
    stay: Annotated[
        bool, Help("go on answering the sliders after the last step, until it is kept")
    ] = True


@dataclass(frozen=True, slots=True)
class Eye:
    """What one CLIP makes of the two domains; all (D,) but the parts' ways, (P, D), and how far
    apart the domains are."""

    clip: Clip
    share: float
    source: Tensor
    target: Tensor
    way: Tensor
    far: float
    parts: Tensor
    texture: Tensor | None

    def goes(self, reach: float) -> float:
        """How far pictures should move: all the way to style pictures, or a part of that between
        words."""
        return self.far if self.texture is not None else reach * self.far


@dataclass(slots=True)
class State:
    """A generator that learns.

    Attributes:
        portrait: the artist's own picture, if there is one, in the generator as it was.
        size: (height, width) of the canvas in pixels.
        codes: (N, L, w_dim) of the samples.
    """

    params: Params
    size: tuple[int, int]
    network: str
    adaptation: Adaptation
    eyes: list[Eye]
    codes: Tensor
    portrait: Portrait | None
    step: int = 0
    notices: list[str] = field(default_factory=list)


class Nada:
    """The method; see the module's text."""

    name: ClassVar[str] = "nada"
    title: ClassVar[str] = "A new domain"
    family: ClassVar[str] = EDIT
    about: ClassVar[str] = "A generator learns to paint as the words say: all its pictures change."
    params: ClassVar[type[Params]] = Params
    inputs: ClassVar[tuple[str, ...]] = ("picture", *STYLES)
    needs: ClassVar[tuple[str, ...]] = ()
    needs_models: ClassVar[bool] = True
    networks: ClassVar[tuple[str, ...]] = ("generator",)

    def setup(self, params: Params, inputs: Inputs, models: Models, device: torch.device) -> State:
        """Two copies of the generator, and what each CLIP makes of the words.

        Raises:
            LimnerError: BAD_INPUT if a setting is out of bounds, the domains mean the same, or a
                texture is asked for without a style picture; UNKNOWN_MODEL if a network is missing.
        """
        check(params)
        wishes = [Wish(params.prompt), Wish(params.source.strip() or SOURCE)]
        check_wishes(wishes)
        if params.called and not networks.NAME.fullmatch(params.called):
            raise LimnerError(
                ErrorCode.BAD_INPUT, f"{params.called[:40]!r} can't be a generator's name.",
                "Give one of letters, digits, dots and hyphens, or none.",
            )  # fmt: skip
        if params.texture and not inputs.styles:
            raise LimnerError(
                ErrorCode.BAD_INPUT, "There is no picture whose texture could be taken.",
                "Give a style picture, or set texture to 0.",
            )  # fmt: skip
        own = Portrait(params.generator, inputs, params.fit, 0, params.seed, device)
        codes = self._latents(params, own, device)
        adaptation = Adaptation(own.generator, _settings(params), params.seed, codes)
        eyes = [_eye(w, params, inputs.styles, own.generator, codes) for w in models.clips]
        notices = strange_words(models.clips, wishes)
        shown = _shown(params, own.generator, codes)
        portrait = own if inputs.picture is not None else None
        return State(
            params,
            inputs.size,
            own.network.name,
            adaptation,
            eyes,
            shown,
            portrait,
            notices=notices,
        )

    def step(self, state: State, params: Params) -> Preview:
        """One step of the generator; and one that brings the artist's picture into it, while any
        is left."""
        state.params = params
        if params.leap and not state.step:
            self._leap(state)
        left = (params.steps - state.step) / max(1.0, params.steps * params.cooldown)
        state.adaptation.settings = _settings(params, min(1.0, max(0.0, left)))
        told: dict[str, Tensor] = {}

        def loss(before: Tensor, after: Tensor) -> Tensor:
            terms = self._terms(state, before, after)
            told.update({name: value.detach() for name, value in terms.items()})
            return torch.stack([getattr(params, name) * v for name, v in terms.items()]).sum()

        def aim(after: Tensor) -> Tensor:
            shares = sum(e.share for e in state.eyes)
            terms = [e.share * domain.whole(seen(e.clip, after), e.target) for e in state.eyes]
            return torch.stack(terms).sum() / shares

        total = state.adaptation.advance(loss, aim)
        if not bool(total.isfinite()):
            raise LimnerError(
                ErrorCode.NOT_FINITE, "The generator left all bounds.", "Lower the learning rate."
            )
        state.step += 1
        if state.portrait is not None and not state.portrait.is_ready:
            state.portrait.advance()
        return self._preview(state, {"loss": total, **told})

    def show(self, state: State, params: Params) -> Preview:
        """The sheet with these settings, without a step."""
        state.params = params
        return self._preview(state, {})

    def result(self, state: State) -> Result:
        """The artist's own picture in the new domain, or the sheet if there is none; and the
        generator, as the settings have it."""
        params, own = state.params, state.portrait
        image = (self._sheet(state) if own is None else own.canvas_by(self.painter(state))).cpu()
        settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(params).items()}
        about = {"method": self.name, **settings, "generator": state.network,
                 "steps_done": state.step, "called": called(params, state.network)}  # fmt: skip
        return Result(
            None, state.size, None, self._score(state), about, image,
            leave=lambda folder: self.leave(state, folder),
        )  # fmt: skip

    def save(self, state: State) -> dict[str, Tensor]:
        """The generator, its optimiser, its randomness, and the artist's picture's code."""
        own = {} if state.portrait is None else state.portrait.saved()
        return {**state.adaptation.saved(), **own, "step": torch.tensor(state.step)}

    def restore(self, state: State, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        state.adaptation.restore(saved)
        if state.portrait is not None:
            state.portrait.restore(saved)
        state.step = int(saved["step"])

    def painter(self, state: State) -> Generator:
        """The generator as the settings have it: between what it was and what it has become."""
        before, after = state.adaptation.frozen, state.adaptation.learned
        share = state.params.amount / 100
        out = after if share == 1 else mixed([before, after], [1 - share, share])
        return swapped(before, out, state.params.keep_px) if state.params.keep_px else out

    def leave(self, state: State, folder: Path) -> Path:
        """Put that into a folder, as a model like any other, with its samples beside it."""
        params, made = state.params, self.painter(state)
        card = {
            "note": f"{state.network}: {params.prompt}", "parent": state.network,
            "made": "by `limner adapt`", "prompt": params.prompt, "source": params.source,
            "steps": state.step, "seed": params.seed, "settings": params,
        }  # fmt: skip
        whole = ("mapping.", "w_avg")
        left = leave(folder, "generator", made.config.to_json(), made.state_dict(), card, whole)
        (folder / SAMPLES).write_bytes(encode_png(self._sheet(state).cpu(), {}))
        return left

    def _terms(self, state: State, before: Tensor, after: Tensor) -> dict[str, Tensor]:
        """The losses that count for something, by the name of their weight, each ()."""
        params, shares = state.params, sum(e.share for e in state.eyes)
        out: dict[str, Tensor] = {}
        views = None
        if params.views > 1:
            more = random_maps(params.views - 1, state.adaptation.chance)
            views = torch.cat([fixed_maps(1), more])
        for eye in state.eyes:
            with torch.no_grad():
                was = seen(eye.clip, before, views)
            now = seen(eye.clip, after, views)
            terms = {}
            if params.direction:
                terms["direction"] = domain.directional(was, now, eye.way)
            if params.distance:
                terms["distance"] = domain.reached(was, now, eye.goes(params.reach) * eye.way)
            if params.whole:
                terms["whole"] = domain.whole(now, eye.target)
            if params.manifold:
                terms["manifold"] = domain.manifold(was, now, eye.source, eye.target)
            if params.texture and eye.texture is not None:
                terms["texture"] = domain.texture(now, eye.texture)
            if params.patches:
                terms["patches"] = self._patches(state, eye, before, after)
            for name, value in terms.items():
                out[name] = out.get(name, value.new_zeros(())) + eye.share / shares * value
        if not out:
            raise LimnerError(
                ErrorCode.BAD_INPUT, "Nothing moves the generator.", "Give a loss some weight."
            )
        return out

    def _patches(self, state: State, eye: Eye, before: Tensor, after: Tensor) -> Tensor:
        size = after.shape[-1]
        side = max(1, round(PATCH * size))
        corner = torch.randint(size - side + 1, (1, 2), generator=state.adaptation.chance)
        with torch.no_grad():
            was = seen(eye.clip, domain.cropped(before, corner, side))
        return domain.patches(was, seen(eye.clip, domain.cropped(after, corner, side)), eye.parts)

    @torch.no_grad()
    def _leap(self, state: State) -> None:
        """Begin where the codes of the generator's own pictures say that the domain lies: it may
        know something of it."""
        params, before = state.params, state.adaptation.frozen
        along: Tensor | float = 0.0
        for eye in state.eyes:
            codes, eyes = crowd(before, eye.clip, params.leap)
            share = eye.share / sum(e.share for e in state.eyes)
            along = along + share / eye.goes(params.reach) * (eyes @ eye.way)
        state.adaptation.leap(slope(codes, torch.as_tensor(along)))

    def _latents(self, params: Params, own: Portrait, device: torch.device) -> Tensor | None:
        if not params.latents:
            return None
        found = networks.find("latents", params.latents)
        (tensor,) = read_weights(found.weights).values()
        config = own.generator.config
        rows = tensor.float().to(device)
        if rows.ndim == 2:
            rows = rows[:, None].expand(-1, config.latents, -1)
        if rows.shape[1:] != (config.latents, config.w_dim):
            raise LimnerError(
                ErrorCode.BAD_INPUT,
                f"{params.latents} holds latents of another generator.",
                "Name the generator that they belong to.",
            )
        return rows

    def _preview(self, state: State, losses: Mapping[str, Tensor]) -> Preview:
        return Preview(state.step, state.params.steps, None, losses,
                       paint=lambda: self._sheet(state))  # fmt: skip

    @torch.no_grad()
    def _sheet(self, state: State) -> Tensor:
        """(3, H, W) in [0, 1], of the canvas's shape: the artist's picture first, then the samples,
        row by row, as large as they fit."""
        codes = state.codes
        if state.portrait is not None:
            codes = torch.cat([state.portrait.w, codes])
        painted = (self.painter(state)(codes).clamp(-1, 1) + 1) / 2
        if painted.shape[-1] > CELL_PX:
            painted = F.interpolate(painted, (CELL_PX, CELL_PX), mode="bilinear", antialias=True)
        sheet = make_grid(painted, columns(len(painted), state.size), padding=0, pad_value=1.0)
        return padded(sheet, state.size)

    @torch.no_grad()
    def _score(self, state: State) -> float:
        """How near the samples are to the prompt: a cosine."""
        if not state.eyes:
            return 0.0
        painted = self.painter(state)(state.codes)
        near = [e.share * float((seen(e.clip, painted) @ e.target).mean()) for e in state.eyes]
        return sum(near) / sum(e.share for e in state.eyes)


def columns(count: int, size: tuple[int, int]) -> int:
    """In how many columns as many squares are largest on a canvas of (height, width)."""
    height, width = size
    sides = {n: min(width / n, height / math.ceil(count / n)) for n in range(1, count + 1)}
    return max(sides, key=lambda n: sides[n])


def padded(sheet: Tensor, size: tuple[int, int]) -> Tensor:
    """(3, H, W): white round (3, h, w) until it has the shape of a canvas of (height, width)."""
    rows, across = sheet.shape[1:]
    scale = max(rows / size[0], across / size[1])
    more = [round(side * scale) - now for side, now in zip(size, (rows, across), strict=True)]
    top, left = (max(0, m) // 2 for m in more)
    bottom, right = (max(0, m) - first for m, first in zip(more, (top, left), strict=True))
    return F.pad(sheet, (left, right, top, bottom), value=1.0)


def called(params: Params, parent: str) -> str:
    """The name of what was made: as the artist says, or of the parent and the prompt."""
    words = re.sub("[^a-z0-9]+", "-", params.prompt.lower()).strip("-")[:40].strip("-")
    return params.called or f"{parent}-{words or 'adapted'}"


def _settings(params: Params, share: float = 1.0) -> Settings:
    """With a share of the rate."""
    return Settings(
        params.rate * 0.8 * share, params.batch, params.phase, params.layers, params.layer_steps,
        as_published=params.as_published, mixing=params.mixing, truncation=params.truncation,
        shared_noise=params.shared_noise,
    )  # fmt: skip


@torch.no_grad()
def _eye(
    weighted: Weighted, params: Params, styles: Sequence[Tensor], generator: Generator,
    codes: Tensor | None,
) -> Eye:  # fmt: skip
    """The way is that of the words, or from the generator's pictures to the style pictures."""
    clip, source = weighted.clip, params.source.strip() or SOURCE
    texts = F.normalize(clip.encode_text([source, params.prompt]), dim=-1)
    pairs = [(p.replace("{}", source), p.replace("{}", params.prompt)) for p in domain.PARTS]
    parts = torch.stack([F.normalize(domain.change(clip, *ends, ("{}",)), dim=0) for ends in pairs])
    change = domain.change(clip, source, params.prompt)
    eye = Eye(clip, weighted.weight, texts[0], texts[1], F.normalize(change, dim=0),
              float(change.norm()), parts, None)  # fmt: skip
    if not styles:
        return eye
    liked = torch.cat([seen(eye.clip, style[None].to(texts) * 2 - 1) for style in styles])
    some = generator.random(GENERATED, params.seed, params.truncation) if codes is None else codes
    own = torch.cat([seen(eye.clip, generator(w)) for w in some[:GENERATED].split(params.batch)])
    change = domain.change_of_pictures(own, liked)
    return replace(eye, way=F.normalize(change, dim=0), far=float(change.norm()),
                   texture=liked.mean(0))  # fmt: skip


def _shown(params: Params, generator: Generator, codes: Tensor | None) -> Tensor:
    if codes is None:
        return generator.random(params.samples, params.seed, TRUNCATION)
    return codes[: params.samples]
