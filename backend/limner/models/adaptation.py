"""A generator on its way to another domain: StyleGAN-NADA's training (Gal et al. 2022, arXiv
2108.00946, sections 4.1 and 4.2), and what can be mixed of the generators before and after.

Two copies paint the same latents. One stays; of the other some layers learn, so that what is seen
of its pictures moves as it should. What is seen, and how it should move, the caller says.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from limner.models.stylegan2 import Generator, mix
from limner.models.stylegan2.generator import Linear

RATE, BETAS = 0.0016, (0.0, 0.99**0.8)  # the authors' 0.002, and Adam's 0 and 0.99, times 4 / 5
LAYER_RATE = 0.01  # of the descent that shows which layers matter
# The convolutions that learn, by their number; None for all, and "all" for the colours too (the
# authors' `get_training_layers`, which counts from the second). "affine": of all and the colours,
# only what reads the codes, which goes far towards domains that are near (Alanov et al. 2023, arXiv
# 2212.10229). The mapping network never learns: the codes are the first copy's.
PHASES: dict[str, range | None] = {
    "usual": None,
    "texture": range(3, 11),
    "shape": range(1, 3),
    "shape expanded": range(1, 4),
    "no fine": range(1, 11),
    "all": None,
    "affine": None,
}

Loss = Callable[[Tensor, Tensor], Tensor]  # (B, 3, S, S) before and after to ()
Aim = Callable[[Tensor], Tensor]  # (B, 3, S, S) to ()


@dataclass(frozen=True, slots=True)
class Settings:
    """How it learns.

    Attributes:
        phase: one of `PHASES`.
        layers: how many convolutions learn at each step, chosen anew each time; 0 for all.
        layer_steps, layer_batch: of the descent that chooses them.
        as_published: choose as the authors' code does: a row of W+ stands for the convolution
            before the one that it drives, and the second for the first colours' layer.
        mixing: the part of the codes of which the finer rows are another's.
        shared_noise: whether both copies get the same noise.
    """

    rate: float = RATE
    batch: int = 4
    phase: str = "usual"
    layers: int = 0
    layer_steps: int = 1
    layer_batch: int = 8
    as_published: bool = False
    mixing: float = 0.0
    truncation: float = 1.0
    shared_noise: bool = True


class Adaptation:
    """A generator that learns.

    Args:
        generator: stays as it is.
        settings: may be replaced between two steps.
        seed: of latents and noise.
        codes: (N, L, w_dim) to learn on; random ones if None.

    Attributes:
        learned: the copy that learns.
        chosen: the layers that learned in the last step, by their names in style space.
    """

    def __init__(
        self, generator: Generator, settings: Settings, seed: int, codes: Tensor | None = None
    ) -> None:
        self.frozen, self.settings, self.codes = generator, settings, codes
        self.learned = copy.deepcopy(generator)
        self.adam = torch.optim.Adam(self.learned.parameters(), settings.rate, BETAS)
        self.chance = torch.Generator().manual_seed(seed)
        self.chosen: list[str] = []

    def advance(self, loss: Loss, aim: Aim) -> Tensor:
        """One step; () the loss before it.

        Args:
            loss: of the frozen copy's pictures and the learned one's.
            aim: of the learned copy's pictures, for choosing layers.
        """
        s = self.settings
        self.chosen = self._chosen(aim)
        self._open(self.chosen)
        w, noise = self._codes(s.batch), self._noise(s.batch)
        with torch.no_grad():
            before = self.frozen(w, noise)
        after = self.learned(w, noise if s.shared_noise else self._noise(s.batch))
        for group in self.adam.param_groups:
            group["lr"] = s.rate
        self.adam.zero_grad(set_to_none=True)
        value = loss(before, after)
        value.backward()
        self.adam.step()
        self.learned.requires_grad_(False)
        return value.detach()

    def leap(self, shift: Tensor) -> None:
        """Let the learned copy paint codes as the frozen one paints those further on by (L, w_dim);
        again if it is asked again."""
        with torch.no_grad():
            for place in self.learned.config.style_layers:
                name = f"blocks.{place.name}.style"
                was, style = self.frozen.get_submodule(name), self.learned.get_submodule(name)
                assert isinstance(was, Linear) and isinstance(style, Linear)  # noqa: S101
                moved = was.weight @ shift[place.latent]
                style.bias.copy_(torch.add(was.bias, moved, alpha=was.gain / was.rate))

    def _codes(self, count: int) -> Tensor:
        """(B, L, w_dim) to learn on, some of them mixed."""
        s = self.settings

        def some() -> Tensor:
            if self.codes is not None:
                at = torch.randint(len(self.codes), (count,), generator=self.chance)
                return self.codes[at.to(self.codes.device)]
            return self.frozen.random(count, self.chance, s.truncation)

        w = some()
        if s.mixing:
            other, at = some(), torch.rand(count, generator=self.chance) < s.mixing
            crossover = int(torch.randint(1, w.shape[1], (), generator=self.chance))
            w = torch.where(at[:, None, None].to(w.device), mix(w, other, crossover), w)
        return w

    def _noise(self, count: int) -> list[Tensor]:
        return [
            torch.randn(count, 1, layer.size, layer.size, generator=self.chance).to(layer.noise)
            for layer in self.frozen.convolutions()
        ]

    # --- which layers learn ---

    def _chosen(self, aim: Aim) -> list[str]:
        places = self.frozen.config.style_layers
        convolutions = [place.name for place in places if not place.is_rgb]
        open_ = [convolutions[k] for k in phase_of(self.learned, self.settings.phase)]
        count = self.settings.layers
        if not 0 < count < len(open_):
            return open_
        rows = self._most_moved(aim)
        if not self.settings.as_published:
            return [name for row in rows if (name := convolutions[row]) in open_][:count]
        colours = next(place.name for place in places if place.is_rgb)
        theirs = [convolutions[0], colours, *convolutions[1:]]
        return [theirs[row] for row in rows[:count]]

    def _most_moved(self, aim: Aim) -> list[int]:
        """The rows of W+, those first that a step of descent towards the aim moves most (section
        4.2); a row drives the convolution of its number, the last one none."""
        s = self.settings
        self.learned.requires_grad_(False)
        start = self._codes(s.layer_batch).detach()
        w = start.clone().requires_grad_(True)
        descent = torch.optim.SGD([w], lr=LAYER_RATE)
        for _ in range(s.layer_steps):
            descent.zero_grad()
            aim(self.learned(w, self._noise(s.layer_batch))).backward()
            descent.step()
        moved = (w.detach() - start).abs().mean((0, 2))
        rows = moved if s.as_published else moved[:-1]
        return [int(row) for row in rows.argsort(descending=True, stable=True)]

    def _open(self, chosen: Sequence[str]) -> None:
        """Let those layers learn; and what the phase opens besides, if all do."""
        self.learned.requires_grad_(False)
        if self.settings.phase == "affine":
            names = [place.name for place in self.learned.config.style_layers]
            for name in chosen if self.settings.layers else names:
                self.learned.get_submodule(f"blocks.{name}.style").requires_grad_(True)
            return
        for name in chosen:
            self.learned.get_submodule(f"blocks.{name}").requires_grad_(True)
        if self.settings.layers:
            return
        self.learned.constant.requires_grad_(True)
        if self.settings.phase == "all":
            self.learned.requires_grad_(True)

    # --- checkpoints ---

    def saved(self) -> dict[str, Tensor]:
        """Copies of all that `restore` needs."""
        out = {f"learned.{k}": v.clone() for k, v in self.learned.state_dict().items()}
        for index, state in self.adam.state_dict()["state"].items():
            out |= {f"adam.{index}.{name}": value.clone() for name, value in state.items()}
        return out | {"chance": self.chance.get_state()}

    def restore(self, saved: Mapping[str, Tensor]) -> None:
        """Go on from what `saved` was, bit for bit."""
        start = "learned."
        own = {k[len(start) :]: v for k, v in saved.items() if k.startswith(start)}
        self.learned.load_state_dict(own)
        state: dict[int, dict[str, Tensor]] = {}
        for key, value in saved.items():
            if key.startswith("adam."):
                _, index, name = key.split(".")
                state.setdefault(int(index), {})[name] = value.clone()
        groups = self.adam.state_dict()["param_groups"]
        self.adam.load_state_dict({"state": state, "param_groups": groups})
        self.chance.set_state(saved["chance"].cpu())


def phase_of(generator: Generator, phase: str) -> list[int]:
    """The numbers of the convolutions that learn in a phase; the first one always does."""
    count, wanted = len(generator.convolutions()), PHASES[phase]
    return [k for k in range(count) if wanted is None or k == 0 or k in wanted]


def mixed(generators: Sequence[Generator], shares: Sequence[float]) -> Generator:
    """A generator whose weights are sums of others', each by its share: between two of them, or
    beyond one, if the shares add up to 1. All must stem from one generator.

    Raises:
        ValueError: if their configurations differ.
    """
    first, *others = generators
    if any(g.config != first.config for g in others) or len(shares) != len(generators):
        raise ValueError("only generators of one form can be mixed, each with its share")
    out = copy.deepcopy(first).requires_grad_(False)
    states = [g.state_dict() for g in generators]
    out.load_state_dict({
        name: sum(share * state[name] for share, state in zip(shares, states, strict=True))
        for name in states[0]
    })  # fmt: skip
    return out


def swapped(coarse: Generator, fine: Generator, from_px: int) -> Generator:
    """The layers of one up to a resolution, and the other's from `from_px` on ("layer swapping",
    Pinkney & Adler 2020, arXiv 2010.05334); mapping network and constant are the first's.

    Raises:
        ValueError: if their configurations differ.
    """
    if coarse.config != fine.config:
        raise ValueError("only generators of one form can be swapped")
    out = copy.deepcopy(coarse).requires_grad_(False)
    for size, block in fine.blocks.items():
        if int(size) >= from_px:
            own = out.blocks[size]
            assert isinstance(own, nn.Module)  # noqa: S101
            own.load_state_dict(block.state_dict())
    return out
