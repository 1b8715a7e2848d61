"""What training runs have in common: a state that can be left and gone on with bit for bit, a
moving average of the weights, the learning rate's course, and the folder that a model is left in.

Whatever is drawn at random in a step is drawn from (seed, step), so nothing of it is kept.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, Protocol

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.nn.utils import clip_grad_norm_
from torch.optim import Optimizer

from limner.training import crew
from limner_wire.errors import ErrorCode, LimnerError

CHECKPOINT = "checkpoint.safetensors"
Figures = dict[str, float]
Report = Callable[[int, Figures], None]


class Run:
    """Networks in training, their optimisers, and the moving average of one network.

    Attributes:
        step: how many steps were made.
        average: the averaged network's floating-point state.
    """

    def __init__(
        self,
        folder: Path,
        settings: Any,
        networks: Mapping[str, nn.Module],
        optimizers: Mapping[str, Optimizer],
        averaged: str,
    ) -> None:
        self.folder, self.settings, self.step = folder, settings, 0
        self.networks, self.optimizers, self.averaged = networks, optimizers, averaged
        self.average = {k: v.detach().clone() for k, v in self._floats().items()}

    def _floats(self) -> dict[str, Tensor]:
        state = self.networks[self.averaged].state_dict()
        return {k: v for k, v in state.items() if v.is_floating_point()}

    @torch.no_grad()
    def follow(self, decay: float) -> None:
        """Move the average towards the weights, faster in the first steps."""
        here = self._floats()
        share = 1 - min(decay, (1 + self.step) / (10 + self.step))
        torch._foreach_lerp_([self.average[k] for k in here], list(here.values()), share)

    def averaged_state(self) -> dict[str, Tensor]:
        """The averaged network's whole state."""
        return {**self.networks[self.averaged].state_dict(), **self.average}

    def save(self) -> None:
        """A checkpoint, replaced in one move."""
        self.folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"average.{k}": v for k, v in self.average.items()}
        for name, network in self.networks.items():
            tensors |= {f"network.{name}.{k}": v for k, v in network.state_dict().items()}
        for name, optimizer in self.optimizers.items():
            for index, state in optimizer.state_dict()["state"].items():
                tensors |= {f"optimizer.{name}.{index}.{k}": v for k, v in state.items()}
        facts = {"step": str(self.step), "settings": json.dumps(asdict(self.settings))}
        fresh = self.folder / "checkpoint.new"
        save_file({k: v.cpu().contiguous() for k, v in tensors.items()}, fresh, facts)
        fresh.replace(self.folder / CHECKPOINT)

    def resume(self) -> bool:
        """Go on from the folder's checkpoint; False if there is none.

        Raises:
            LimnerError: UNREADABLE if it is of other networks.
        """
        path = self.folder / CHECKPOINT
        if not path.exists():
            return False
        with safe_open(path, "pt") as file:
            self.step = int(file.metadata()["step"])
        tensors = load_file(path)
        try:
            for name, network in self.networks.items():
                network.load_state_dict(_part(tensors, f"network.{name}."))
        except RuntimeError as problem:
            raise LimnerError(
                ErrorCode.UNREADABLE,
                f"{path} is of another network.",
                "Name another folder with --out.",
            ) from problem
        here = self._floats()
        self.average = {k: v.to(here[k]) for k, v in _part(tensors, "average.").items()}
        for name, optimizer in self.optimizers.items():
            kept: dict[int, dict[str, Tensor]] = {}
            for key, value in _part(tensors, f"optimizer.{name}.").items():
                index, entry = key.split(".", 1)
                kept.setdefault(int(index), {})[entry] = value
            groups = optimizer.state_dict()["param_groups"]
            optimizer.load_state_dict({"state": kept, "param_groups": groups})
            _laid_out(optimizer)
        return True


class Trainer(Protocol):
    """Something that is trained step by step."""

    run: Run

    def advance(self) -> Figures:
        """One step, which counts itself; its figures."""
        ...

    def export(self) -> Path:
        """Leave the model in the run's folder."""
        ...


def train(trainer: Trainer, steps: int, report: Report, save_every: int = 500) -> Path:
    """Go on to the last step, with checkpoints on the way; the model at the end.

    Raises:
        FloatingPointError: if a figure is not finite.
    """
    run = trainer.run
    while run.step < steps:
        figures = trainer.advance()
        if not all(abs(value) < float("inf") for value in figures.values()):
            raise FloatingPointError(f"step {run.step} came to {figures}")
        if crew.is_first():
            report(run.step, figures)
            if run.step % save_every == 0:
                run.save()
    left = run.folder
    if crew.is_first():
        run.save()
        left = trainer.export()
    crew.wait()
    return left


def descend(
    optimizer: Optimizer | Sequence[Optimizer], loss: Tensor, most_norm: float = 0.0
) -> None:
    """A step down a loss, all processes together.

    Args:
        optimizer: or several, each of some of the weights.
        most_norm: of the gradient; 0 for any.
    """
    several = [optimizer] if isinstance(optimizer, Optimizer) else optimizer
    for one in several:
        one.zero_grad()
    loss.backward()
    parameters = [p for one in several for group in one.param_groups for p in group["params"]]
    crew.together(parameters)
    if most_norm:
        clip_grad_norm_(parameters, most_norm)
    for one in several:
        one.step()


def course(step: int, steps: int, warmup: int, cooldown: float) -> float:
    """In [0, 1]: up over the warm-up, then level, then down to zero over the last part."""
    left = (steps - step) / max(1.0, steps * cooldown)
    return min(1.0, (step + 1) / warmup, max(0.0, left))


def set_rate(optimizer: Optimizer, rate: float) -> None:
    for group in optimizer.param_groups:
        group["lr"] = rate


def _laid_out(optimizer: Optimizer) -> None:
    """Let moments lie in memory as their parameters do: fused optimisers walk both alike."""
    for parameter, state in optimizer.state.items():
        for name, value in state.items():
            if value.shape == parameter.shape:
                state[name] = torch.empty_like(parameter).copy_(value)


def _part(tensors: Mapping[str, Tensor], name: str) -> dict[str, Tensor]:
    return {k.removeprefix(name): v for k, v in tensors.items() if k.startswith(name)}
