"""What the three ways of editing a picture with words have in common.

The picture is first brought into a generator (`models.inversion`), from its encoder's guess if it
has one; then a method says what its code becomes, and what the generator makes of that is put back
into the canvas (`methods.patch`). What is asked for can change at any time, and after the last step
too: `Edit.show` answers at once.

It does not know how a code is changed: `global_directions`, `latent_mapper` and
`latent_optimization` do.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, ClassVar, Generic, TypeVar

import torch
from torch import Tensor

from limner.losses.cutouts import fixed_maps
from limner.losses.words import Wish, check_wishes, nearness, strange_words, targets
from limner.methods.base import EDIT, Inputs, Method, Models, Preview, Result
from limner.methods.params import Adjustable, Essential, Help, Names, Range, check
from limner.methods.patch import Patch
from limner.models import encoders, faces, features, stylegan2
from limner.models.clip import Weighted
from limner.models.inversion import Inversion, Tuning, psnr
from limner.models.networks import Network, belonging, find, readers
from limner.models.stylegan2 import Generator
from limner_wire import limits
from limner_wire.errors import ErrorCode, LimnerError

FAITHFUL_DB = 20.0  # below it, a picture that was painted again is told to be rough
RANDOM_TRUNCATION = 0.7  # of a picture that nobody gave


@dataclass(frozen=True, slots=True)
class Params:
    """What every edit is told."""

    prompt: Annotated[str, Adjustable(), Help("what the picture should become")]
    steps: Annotated[
        int, Range(limits.STEPS_MIN, limits.STEPS_MAX), Essential(),
        Help("iterations that bring the picture into the generator"),
    ] = 100  # fmt: skip
    tune: Annotated[
        int, Range(0, 2000),
        Help("the last of them teach the generator this very picture (pivotal tuning)"),
    ] = 0  # fmt: skip
    detail: Annotated[
        float, Range(0, 100), Adjustable(),
        Help("how much of what the generator can't paint is put back", "%"),
    ] = 0.0  # fmt: skip
    align: Annotated[
        bool, Help("find the face and edit it upright, as generators of photographs want it")
    ] = False
    generator: Annotated[
        str, Names("generator"), Help("which generator paints; none for the first there is")
    ] = ""
    seed: Annotated[int, Range(0, limits.SEED_MAX), Help("of the picture, if none is given")] = 0
    stay: Annotated[
        bool, Help("go on answering the sliders after the last step, until it is kept")
    ] = True


P = TypeVar("P", bound=Params)


class Portrait:
    """A picture in a generator's hands.

    Args:
        fit: how many steps look for its code; none are needed without a picture.
        tune: how many then teach the generator.
        align: whether the picture's face is found first.

    Attributes:
        network: where the generator lies.
        w: (1, L, w_dim), its code so far.
        patch: the part of the canvas; its `square` is None too if no face was found.
    """

    def __init__(
        self, name: str, inputs: Inputs, fit: int, tune: int, seed: int, device: torch.device,
        *, align: bool = False,
    ) -> None:  # fmt: skip
        self.network = find("generator", name or None)
        self.given = given = _generator(self.network.folder, device)
        start = None if inputs.latent is None else _latent(inputs.latent, given)
        self.has_picture = inputs.picture is not None
        self.patch = _patch(inputs, device, align=align)
        if start is None:
            if self.has_picture:
                start = self._guessed()
            else:
                start = given.random(1, seed, RANDOM_TRUNCATION)
        self.fit, self.tune = (fit, tune) if self.has_picture else (0, 0)
        seen = features.load("best", device) if self.fit else None
        self._inversion = Inversion(given, self.patch.cut(given.config.size), start, seen)
        self._tuning: Tuning | None = None
        self.step = 0

    def _guessed(self) -> Tensor | None:
        """The encoder's word for it; None if there is none."""
        config = self.given.config
        for found in belonging("encoder", self.network.name):
            told = (found.config.get("latents"), found.config.get("w_dim"))
            if told == (config.latents, config.w_dim):
                encoder = encoders.load(found.name, self.given.w_avg.device)
                with torch.no_grad():
                    return encoder.encode(self.patch.cut(config.size))
        return None

    @property
    def w(self) -> Tensor:
        return self._inversion.w.detach()

    @property
    def generator(self) -> Generator:
        """The one that was given, or what it was taught."""
        return self.given if self._tuning is None else self._tuning.generator

    @property
    def is_ready(self) -> bool:
        """Whether nothing is left to be fitted or taught."""
        return self.step >= self.fit + self.tune

    def advance(self) -> dict[str, Tensor]:
        """One step of fitting, then of teaching; the losses before it, each ()."""
        self.step += 1
        if self.step <= self.fit:
            return self._inversion.advance((self.step - 1) / self.fit)
        if self._tuning is None:
            self._tuning = Tuning(self._inversion)
        return self._tuning.advance()

    def nearness_db(self) -> float:
        """How near the generator's picture is to the one that was given: PSNR."""
        return psnr(self._inversion.image(self.generator), self._inversion.target)

    def painted(self, styles: Sequence[Tensor]) -> Tensor:
        """(B, 3, S, S), about [-1, 1]: what the generator makes of style space."""
        return self.generator.render(styles, [n.detach() for n in self._inversion.noise])

    @torch.no_grad()
    def canvas(self, styles: Sequence[Tensor], detail: float = 0.0) -> Tensor:
        """(3, H, W) in [0, 1]: the canvas with that in it; `detail` in [0, 1]."""
        before = self._inversion.image(self.generator) if detail and self.has_picture else None
        return self.patch.put(self.painted(styles), before, detail)

    @torch.no_grad()
    def canvas_by(self, painter: Generator) -> Tensor:
        """(3, H, W) in [0, 1]: the canvas with what another generator makes of the code."""
        noise = [n.detach() for n in self._inversion.noise]
        return self.patch.put(painter.render(painter.styles(self.w), noise))

    def saved(self) -> dict[str, Tensor]:
        """Copies of all that `restore` needs; what was taught is learned again."""
        at = {f"portrait.{name}": value for name, value in self._inversion.saved().items()}
        return at | {"portrait.step": torch.tensor(self.step)}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what `saved` was."""
        start = "portrait."
        own = {n[len(start) :]: v for n, v in saved.items() if n.startswith(start)}
        self._inversion.restore(own)
        self.step = min(int(own["step"]), self.fit)
        self._tuning = None
        while self.step < int(own["step"]):
            self.advance()


@dataclass(slots=True)
class State:
    """An edit between two steps.

    Attributes:
        told: notices that were given already.
    """

    params: Any
    portrait: Portrait
    clips: Sequence[Weighted]
    step: int = 0
    notices: list[str] = field(default_factory=list)
    told: set[str] = field(default_factory=set)


S = TypeVar("S", bound=State)


class Edit(Generic[P, S]):
    """A method of editing, but for what it does to the code; see the module's text."""

    name: ClassVar[str]
    family: ClassVar[str] = EDIT
    inputs: ClassVar[tuple[str, ...]] = ("picture", "mask")
    needs: ClassVar[tuple[str, ...]] = ("picture",)
    needs_models: ClassVar[bool] = True
    networks: ClassVar[tuple[str, ...]] = ("generator",)  # kinds that it can't do without

    # --- what is the method's own ---

    def begin(self, params: P, portrait: Portrait, models: Models, notices: list[str]) -> S:
        """The state before the first step."""
        raise NotImplementedError

    def aim(self, state: S, params: P) -> None:
        """Take settings in that may have changed.

        Raises:
            LimnerError: BAD_INPUT if they ask for nothing, and then nothing has changed.
        """
        state.params = params

    def edited(self, state: S) -> list[Tensor]:
        """Style space, (1, channels) for each layer, as the settings ask for it."""
        raise NotImplementedError

    def figures(self, state: S) -> dict[str, Tensor]:
        """What is told of it besides the losses, each ()."""
        return {}

    def told(self, state: S) -> dict[str, Any]:
        """What is to be known of the result besides its settings; JSON values."""
        return {name: round(float(value), 6) for name, value in self.figures(state).items()}

    def fitting(self, params: P) -> int:
        """How many steps look for the code."""
        return params.steps - params.tune

    # --- what is the same for all ---

    def setup(self, params: P, inputs: Inputs, models: Models, device: torch.device) -> S:
        """Find the generator and the encoder's guess of the picture.

        Raises:
            LimnerError: BAD_INPUT if a setting is out of bounds or a needed picture is missing;
                UNKNOWN_MODEL if a network is not on this machine.
        """
        check(params)
        check_wishes([Wish(params.prompt)])
        if "picture" in self.needs and inputs.picture is None:
            raise LimnerError(
                ErrorCode.BAD_INPUT, "There is no picture to edit.", "Give one: limner edit IMAGE."
            )
        fit = self.fitting(params)
        if fit < 0 or (params.tune and fit < 1):
            raise LimnerError(
                ErrorCode.BAD_INPUT,
                f"{params.tune} steps of teaching leave none of {params.steps} for the rest.",
                "Ask for more steps, or fewer to teach.",
            )
        portrait = Portrait(
            params.generator, inputs, fit, params.tune, params.seed, device, align=params.align
        )
        notices = strange_words(models.clips, [Wish(params.prompt)])
        if params.align and portrait.has_picture and portrait.patch.square is None:
            notices.append("No face was found: the middle of the picture is edited.")
        state = self.begin(params, portrait, models, notices)
        self.aim(state, params)
        return state

    def step(self, state: S, params: P) -> Preview:
        """One step towards the picture's code; shown is the edit of what was found so far."""
        if params != state.params:
            self.aim(state, params)
        state.step += 1
        losses: dict[str, Tensor] = {}
        notice = ""
        if not state.portrait.is_ready:
            losses = state.portrait.advance()
            notice = self._verdict(state)
        return self._preview(state, losses, notice)

    def show(self, state: S, params: P) -> Preview:
        """The edit with these settings, without a step."""
        if params != state.params:
            self.aim(state, params)
        return self._preview(state, {}, "")

    def result(self, state: S) -> Result:
        """The canvas with the edit in it."""
        params, portrait = state.params, state.portrait
        image = self._image(state).cpu()
        settings = {k: list(v) if isinstance(v, tuple) else v for k, v in asdict(params).items()}
        about = {
            "method": self.name, **settings, "generator": portrait.network.name,
            "steps_done": state.step, **self.told(state),
        }  # fmt: skip
        if portrait.has_picture:
            about["inversion_db"] = round(portrait.nearness_db(), 2)
        return Result(None, tuple(image.shape[1:]), None, self._score(state), about, image)  # type: ignore[arg-type]

    def save(self, state: S) -> dict[str, Tensor]:
        """The picture's code, and how far it is."""
        return {**state.portrait.saved(), "step": torch.tensor(state.step)}

    def restore(self, state: S, saved: Mapping[str, Tensor]) -> None:
        """Go on from there."""
        state.portrait.restore(saved)
        state.step = int(saved["step"])
        if state.portrait.is_ready:
            state.told.add("verdict")

    def _preview(self, state: S, losses: Mapping[str, Tensor], notice: str) -> Preview:
        told = {**losses, **self.figures(state)}
        paint = functools.partial(self._image, state)
        return Preview(state.step, state.params.steps, None, told, notice, paint)

    @torch.no_grad()
    def _image(self, state: S) -> Tensor:
        return state.portrait.canvas(self.edited(state), state.params.detail / 100)

    def _verdict(self, state: S) -> str:
        """Once the picture is in the generator: whether that went well."""
        if not state.portrait.is_ready or "verdict" in state.told:
            return ""
        state.told.add("verdict")
        near = state.portrait.nearness_db()
        if near >= FAITHFUL_DB:
            return ""
        name = state.portrait.network.name
        return (f"{name} can paint this picture only roughly ({near:.0f} dB); more steps, or some "
                "that tune it, bring it nearer.")  # fmt: skip

    @torch.no_grad()
    def _score(self, state: S) -> float:
        """How near what the generator painted is to the prompt: a cosine."""
        if not state.clips:
            return 0.0
        image = state.portrait.painted(self.edited(state))[0]
        aims = targets(state.clips, [Wish(state.params.prompt)])
        shown = (image.clamp(-1, 1) + 1) / 2
        maps = fixed_maps(1).to(image.device)
        return float(nearness(shown, maps, aims, shown.new_ones(3)))


def _patch(inputs: Inputs, device: torch.device, *, align: bool) -> Patch:
    """Where the generator paints: in the picture, round its face if that is asked for, or on a
    white square that fits the canvas."""
    if inputs.picture is None:
        side = min(inputs.size)
        return Patch.of(torch.ones(3, side, side, device=device))
    mask = None if inputs.mask is None else inputs.mask.to(device)
    square = faces.upright(inputs.picture) if align else None
    return Patch.of(inputs.picture.to(device), mask, square)


@functools.lru_cache(maxsize=2)
def _loaded(name: str, folder: str, changed: int, device: torch.device) -> Generator:
    return stylegan2.load(name, device)


def _generator(folder: Any, device: torch.device) -> Generator:
    """The generator of a folder; the last two are kept."""
    changed = (folder / "model.safetensors").stat().st_mtime_ns
    return _loaded(folder.name, str(folder), changed, device)


def _latent(given: Tensor, generator: Generator) -> Tensor:
    """(1, L, w_dim) from what was given as a latent.

    Raises:
        LimnerError: BAD_INPUT if it is another generator's.
    """
    config = generator.config
    rows = given.reshape(-1, given.shape[-1]).float().to(generator.w_avg)
    if rows.shape == (1, config.w_dim):
        rows = rows.expand(config.latents, -1)
    if rows.shape != (config.latents, config.w_dim):
        raise LimnerError(
            ErrorCode.BAD_INPUT,
            f"The latent has {rows.shape[0]} rows of {rows.shape[1]}; this generator takes "
            f"{config.latents} of {config.w_dim}.",
            "Name the generator that it belongs to.",
        )
    return rows[None]


def own_clips(method: Method[Any, Any], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """The CLIPs that read for a method where none is named: the one that was trained on its
    generator's pictures, or that its decoder paints from; else none, for the best on the machine.
    """
    has = method.params.__dataclass_fields__
    if "decoder" in has:
        return (str(find("decoder", settings.get("decoder") or None).config.get("clip")),)
    if "generator" in has:
        return readers(find("generator", settings.get("generator") or None).name)
    return ()


def of_generator(kind: str, portrait: Portrait) -> list[Network]:
    """What of a kind there is for a portrait's generator."""
    return belonging(kind, portrait.network.name)
