"""What the five ways of painting from a CLIP's image embedding have in common (unCLIP: Ramesh et
al. 2022, arXiv 2204.06125).

A picture comes about in parts, one after the other: an embedding may first be drawn from words
(`models.unclip.prior`), or a picture's own noise be found (`drawing.Noising`); then the decoder
paints, and an upsampler enlarges what it painted. Each look of a network is a step, shown as what
it takes the picture for by then. A setting that changes what is painted takes the last two parts
back; after the last step, too.

It does not know whose embedding is painted: `imagine`, `variations`, `blend`, `text_diff` and
`probe` do.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Annotated, Any, ClassVar, Generic, Protocol, TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor

from limner.methods.base import IMAGINE, Inputs, Models, Preview, Result
from limner.methods.params import Adjustable, Essential, Help, Names, Range, check
from limner.methods.patch import Patch, resized
from limner.models import clip
from limner.models.clip import Clip
from limner.models.networks import Network, find, installed
from limner.models.unclip import decoder as decoders
from limner.models.unclip import upsampler as upsamplers
from limner.models.unclip.drawing import Drawing, Kept, Told
from limner.models.unclip.painter import Painter
from limner.models.unclip.prior import expanded
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

LARGE_BYTES = 2**28  # weights of which only one network's are in memory at a time
PAINTED, ENLARGED = "drawing", "enlarging"


@dataclass(frozen=True, slots=True)
class Params:
    """What every one of them is told."""

    steps: Annotated[
        int, Range(1, 1000), Essential(), Help("looks that the decoder takes at the picture")
    ] = 25  # fmt: skip
    guidance: Annotated[
        float, Range(0, 20), Adjustable(), Essential(),
        Help("how strongly it is held to what is asked for; 1 is as the decoder has learned it"),
    ] = 1.5  # fmt: skip
    enlarge: Annotated[
        int, Range(0, 100), Help("looks that then make it four times as large; 0 leaves it")
    ] = 8  # fmt: skip
    decoder: Annotated[
        str, Names("decoder"), Help("which decoder paints; none for the first there is")
    ] = ""
    seed: Annotated[int, Range(0, limits.SEED_MAX), Help("of all that is drawn at random")] = 0
    stay: Annotated[
        bool, Help("go on answering the sliders after the last step, until it is kept")
    ] = True


class Stage(Protocol):
    """A part at work."""

    @property
    def step(self) -> int: ...

    def advance(self) -> None: ...

    def save(self) -> dict[str, Tensor]: ...

    def restore(self, saved: Mapping[str, Tensor]) -> None: ...


@dataclass(frozen=True, slots=True)
class Part:
    """One of the parts in which a picture comes about.

    Attributes:
        total: its steps.
        begin: makes its stage, from what was found before.
        end: what it has found, from the stage after its last step.
        shown: (B, 3, S, S) in [-1, 1], what it takes the picture for; None for nothing yet.
    """

    name: str
    total: int
    begin: Callable[[], Stage]
    end: Callable[[Any], Tensor]
    shown: Callable[[Any], Tensor] | None = None


@dataclass(slots=True)
class State:
    """A picture between two steps.

    Attributes:
        config: the decoder's.
        reader: the CLIP that the decoder was made for.
        teller: the one that reads the words which the decoder is told; nearly always the same.
        patch: where on the canvas it is painted.
        found: what the parts that are over have found, by name.
        at: which part is at work, in `stage` once it has begun.
        before: steps of the parts that are over, and of those that were taken back.
    """

    params: Any
    config: Any
    reader: Clip
    teller: Clip
    patch: Patch
    parts: list[Part] = field(default_factory=list)
    found: dict[str, Tensor] = field(default_factory=dict)
    at: int = 0
    stage: Stage | None = None
    before: int = 0
    notices: list[str] = field(default_factory=list)

    @property
    def step(self) -> int:
        return self.before + (self.stage.step if self.stage is not None else 0)

    @property
    def total(self) -> int:
        return self.before + sum(part.total for part in self.parts[self.at :])

    @property
    def device(self) -> torch.device:
        return self.patch.canvas.device

    @property
    def decoder(self) -> Painter:
        """Loaded when it is asked for; a large one makes room for the next part."""
        made: Painter = network("decoder", self.params.decoder, self.device)
        return made


P = TypeVar("P", bound=Params)


class Imagining(Generic[P]):
    """A method, but for whose embedding it paints; see the module's text."""

    name: ClassVar[str]
    family: ClassVar[str] = IMAGINE
    inputs: ClassVar[tuple[str, ...]] = ("picture", "mask")
    needs: ClassVar[tuple[str, ...]] = ("picture",)
    needs_models: ClassVar[bool] = True
    networks: ClassVar[tuple[str, ...]] = ("decoder",)
    repaints: ClassVar[tuple[str, ...]] = ("guidance",)  # settings that take painting back

    # --- what is the method's own ---

    def begin(self, state: State, inputs: Inputs) -> None:
        """Take in what is given, before the first step."""

    def first(self, state: State) -> list[Part]:
        """What comes before painting."""
        return []

    def told(self, state: State) -> Told:
        """What the decoder is told, once the first parts are over."""
        raise NotImplementedError

    def looks(self, state: State) -> int:
        """How many steps painting takes."""
        steps: int = state.params.steps
        return steps

    def drawing(self, state: State) -> Drawing:
        """The decoder's work, from its first step."""
        params = state.params
        return Drawing(
            state.decoder, self.told(state), seed=params.seed, steps=params.steps,
            guidance=params.guidance, start=self.start(state),
        )  # fmt: skip

    def start(self, state: State) -> Tensor | None:
        """The noise that painting begins with; None for one drawn by the seed."""
        return None

    def put(self, state: State, pictures: Tensor) -> Tensor:
        """(3, H, W) in [0, 1]: the canvas with (B, 3, S, S) in [-1, 1] in it."""
        return state.patch.put(pictures[:1])

    def score(self, state: State, seen: Tensor) -> float:
        """How near it is to what was asked for, from (B, D) unit vectors, what the CLIP sees of the
        result."""
        return float((seen * F.normalize(self.told(state).embedding, dim=1)).sum(1).mean())

    def figures(self, state: State) -> dict[str, Any]:
        """What is to be known of the result besides its settings; JSON values."""
        return {}

    # --- what is the same for all ---

    def setup(self, params: P, inputs: Inputs, models: Models, device: torch.device) -> State:
        """Find the networks and take the picture in.

        Raises:
            LimnerError: BAD_INPUT if a setting is out of bounds or a needed picture is missing;
                UNKNOWN_MODEL if a network is not on this machine.
        """
        check(params)
        if "picture" in self.needs and inputs.picture is None:
            raise LimnerError(
                ErrorCode.BAD_INPUT, "There is no picture to begin with.", "Give one."
            )
        config = decoders.config_of(network_found("decoder", params.decoder))
        given = {w.clip.name: w.clip for w in models.clips}
        own = config.clip
        reader = given[own] if own in given else clip.load([own], device)[0].clip
        reader = reader if config.unit else reader.unscaled()
        teller = reader if config.reads == own else clip.load([config.reads], device)[0].clip
        state = State(params, config, reader, teller, _patch(inputs, device))
        if given and own not in given:
            state.notices.append(f"This decoder paints what {own} sees: it reads the words.")
        self.begin(state, inputs)
        state.parts = [*self.first(state), *self._last(state)]
        return state

    def step(self, state: State, params: P) -> Preview:
        """One look of the network whose turn it is."""
        if params != state.params:
            self.change(state, params)
        advance(state)
        return self._preview(state)

    def show(self, state: State, params: P) -> Preview:
        """The next look at the picture with these settings, painted anew as far as they ask for
        it; after the last, the picture."""
        if params != state.params:
            self.change(state, params)
        if state.at < len(state.parts):
            advance(state)
        return self._preview(state)

    def change(self, state: State, params: P) -> None:
        """Take in settings that may have changed; painting is taken back if they say so."""
        was, state.params = state.params, params
        if any(getattr(was, name) != getattr(params, name) for name in self.repaints):
            last = len(state.parts) - len(self._last(state))
            if state.at >= last:
                state.before, state.at, state.stage = state.step, last, None
            state.parts[last:] = self._last(state)

    def result(self, state: State) -> Result:
        """The canvas with the picture in it; of one that was taken back after its last step, the
        rest is made first."""
        params = state.params
        if PAINTED in state.found and state.at < len(state.parts):
            while state.at < len(state.parts):
                advance(state)
        pictures = None if state.reader.lacks == clip.IMAGE_ENCODER else self._pictures(state)
        image = self._image(state).cpu()
        about = {
            "method": self.name, **{k: list(v) if isinstance(v, tuple) else v
                                    for k, v in asdict(params).items()},
            "decoder": network_found("decoder", params.decoder).name,
            "steps_done": state.step, **self.figures(state),
        }  # fmt: skip
        score = 0.0
        if pictures is not None:
            score = self.score(state, F.normalize(seen(state.reader, pictures), dim=1))
        height, width = image.shape[1:]
        return Result(None, (height, width), None, score, about, image)

    def save(self, state: State) -> dict[str, Tensor]:
        """What was found, and how far the part is that is at work."""
        saved = {f"found.{k}": v.clone() for k, v in state.found.items()}
        if state.stage is not None:
            saved |= {f"stage.{k}": v for k, v in state.stage.save().items()}
        return saved | {"at": torch.tensor(state.at), "before": torch.tensor(state.before)}

    def restore(self, state: State, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        state.found = {k: v.to(state.device) for k, v in _of(saved, "found.").items()}
        state.at, state.before = int(saved["at"]), int(saved["before"])
        state.stage = None
        if stage := _of(saved, "stage."):
            state.stage = state.parts[state.at].begin()
            state.stage.restore(stage)

    def _last(self, state: State) -> list[Part]:
        """Painting, and enlarging if that is wanted and can be done."""
        params = state.params
        painted = Part(PAINTED, self.looks(state), lambda: self.drawing(state),
                       lambda s: s.picture, lambda s: s.picture)  # fmt: skip
        name = upsampler_of(network_found("decoder", params.decoder).name)
        if not params.enlarge or not name:
            return [painted]
        device = state.device

        def enlarging() -> Stage:
            upsampler = network("upsampler", name, device)
            return upsamplers.Sampling(upsampler, state.found[PAINTED], params.enlarge, params.seed)

        return [painted, Part(ENLARGED, params.enlarge, enlarging, lambda s: s.picture(),
                              lambda s: s.picture())]  # fmt: skip

    def _preview(self, state: State) -> Preview:
        return Preview(state.step, state.total, paint=functools.partial(self._image, state))

    def _pictures(self, state: State) -> Tensor | None:
        """(B, 3, S, S) in [-1, 1]: where painting stands; None before it has begun."""
        if state.stage is not None and (shown := state.parts[state.at].shown) is not None:
            return shown(state.stage)
        return state.found.get(ENLARGED, state.found.get(PAINTED))

    @torch.no_grad()
    def _image(self, state: State) -> Tensor:
        pictures = self._pictures(state)
        return state.patch.canvas if pictures is None else self.put(state, pictures)


def advance(state: State) -> None:
    """A step of the part whose turn it is; after its last, what it has found is kept."""
    part = state.parts[state.at]
    if state.stage is None:
        if part.name == PAINTED:
            state.found.pop(ENLARGED, None)
        state.stage = part.begin()
    with torch.no_grad():
        state.stage.advance()
    if state.stage.step >= part.total:
        state.found[part.name] = part.end(state.stage)
        state.before, state.at, state.stage = state.step, state.at + 1, None


def seen(reader: Clip, pictures: Tensor) -> Tensor:
    """(B, D), what a CLIP sees of (B, 3, S, S) in [-1, 1]."""
    return reader.see(((resized(pictures, reader.size_px) + 1) / 2).clamp(0, 1))


def alone(reader: Clip, embedding: Tensor) -> Told:
    """Embeddings (B, D) without any words."""
    empty = reader.read([""])
    words = expanded(empty, len(embedding))
    return Told(embedding, words, empty)


def kept_of(state: State) -> Kept | None:
    """What of the canvas stays, where a part of it is selected."""
    patch, size = state.patch, state.config.size
    if patch.mask is None:
        return None
    free = resized(patch.mask[None, None], size).clamp(0, 1)
    return Kept(patch.cut(size), free)


def network_found(kind: str, name: str) -> Network:
    """Where a network lies; the first of its kind when none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL, with what to do about it.
    """
    return find(kind, name or None)


def upsampler_of(decoder: str) -> str:
    """The name of the upsampler that was made for a decoder's pictures, or else of the first that
    was made for anybody's; none if there is none."""
    told = [(n.config.get("decoder"), n.name) for n in installed("upsampler")]
    return next((name for owner in (decoder, None) for says, name in told if says == owner), "")


def network(kind: str, name: str, device: torch.device) -> Any:
    """A network by its kind and name. Small ones stay in memory for the next picture; a large one
    does until another is asked for, and is gone before that is loaded if nobody holds it."""
    found = network_found(kind, name)
    about = found.weights.stat()
    key = kind, found.name, found.folder, about.st_mtime_ns, device
    if about.st_size <= LARGE_BYTES:
        return _kept(*key)
    if key not in _large:
        _large.clear()
        _large[key] = _load(kind, found.name, device)
    return _large[key]


_large: dict[Any, Any] = {}


@functools.lru_cache(maxsize=4)
def _kept(kind: str, name: str, folder: Path, changed: int, device: torch.device) -> Any:
    return _load(kind, name, device)


def _load(kind: str, name: str, device: torch.device) -> Any:
    from limner.models.unclip import prior as priors

    loads: dict[str, Callable[[str, torch.device], Any]] = {
        "decoder": decoders.load, "upsampler": upsamplers.load, "prior": priors.load,
    }  # fmt: skip
    return loads[kind](name, device)


def _patch(inputs: Inputs, device: torch.device) -> Patch:
    """Where it is painted: in the picture, or on a white square that fits the canvas."""
    if inputs.picture is None:
        side = min(inputs.size)
        return Patch.of(torch.ones(3, side, side, device=device))
    picture = inputs.picture.to(device)
    if inputs.mask is not None:
        return Patch.of(picture, inputs.mask.to(device))
    # it is a picture of its own: drawn into the colours around it, it would be another
    return replace(Patch.of(picture), mask=None)


def _of(saved: Mapping[str, Tensor], start: str) -> dict[str, Tensor]:
    return {k.removeprefix(start): v for k, v in saved.items() if k.startswith(start)}
