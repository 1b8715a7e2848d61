"""The starter's identity network: the same person near, others far, whatever they wear.

ArcFace's network (`models.arcface`), small, trained by supervised contrast (Khosla et al. 2020,
arXiv 2004.11362, L_out, eq. 2): each step holds several portraits of each of some people in other
looks, and every portrait should find its own person's among all others. Who someone is, is
`paintings.IDENTITY`; everything else is a look, and should change nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from limner.chance import random_of
from limner.models.arcface import ArcFace, Body, Config
from limner.models.catalog import PORTRAITS
from limner.models.networks import leave
from limner.training.crew import shared
from limner.training.loop import Figures, Run, course, descend, set_rate
from limner.training.paintings import HELD_OUT, IDENTITY, People

CONFIG = Config(Body((24, 32, 64, 128, 192), (1, 1, 1, 1)), input_px=48, dimensions=128)
VIEWS = 4  # portraits of each person in a step


@dataclass(frozen=True, slots=True)
class Settings:
    """How to train.

    Attributes:
        people: in a step; `pool`, among whom they are drawn, each painted `views` times.
        temperature: of the contrast.
        held_out: how many people it is measured on at the end.
    """

    steps: int = 8000
    people: int = 16
    pool: int = 12_000
    views: int = 8
    rate: float = 1e-3
    weight_decay: float = 0.02
    warmup: int = 200
    cooldown: float = 0.5
    temperature: float = 0.1
    decay: float = 0.999
    seed: int = 2
    held_out: int = 300
    bf16: bool = False


class Trainer:
    """One run."""

    def __init__(
        self, settings: Settings, people: People, folder: Path, device: torch.device
    ) -> None:
        self.settings, self.people, self.device = settings, people, device
        torch.manual_seed(settings.seed)
        self.network = ArcFace(CONFIG).to(device)
        self.adam = torch.optim.AdamW(
            self.network.parameters(), lr=settings.rate, weight_decay=settings.weight_decay,
            fused=True,
        )  # fmt: skip
        networks, optimizers = {"network": self.network}, {"adam": self.adam}
        self.run = Run(folder, settings, networks, optimizers, "network")

    def batch(self, chance: torch.Generator) -> tuple[Tensor, Tensor]:
        """(B, 3, 64, 64) portraits in [-1, 1] and (B,) who they are."""
        views = self.people.views
        who = torch.randperm(len(self.people) // views, generator=chance)[: self.settings.people]
        seen = torch.stack([torch.randperm(views, generator=chance)[:VIEWS] for _ in who])
        rows = (who[:, None] * views + seen).flatten().tolist()
        return self.people.pictures(rows), who.repeat_interleave(seen.shape[1])

    def advance(self) -> Figures:
        """One step."""
        s, step = self.settings, self.run.step
        set_rate(self.adam, s.rate * course(step, s.steps, s.warmup, s.cooldown))
        torch.manual_seed(s.seed * 1_000_003 + step)  # of the dropout
        pictures, who = self.batch(random_of(s.seed, step))
        with torch.autocast(self.device.type, torch.bfloat16, enabled=s.bf16):
            vectors = shared(
                lambda part: self.network.identify(pictures[part].to(self.device)).float(), len(who)
            )
        loss, found = contrast(vectors, who.to(self.device), s.temperature)
        descend(self.adam, loss)
        self.run.step += 1
        self.run.follow(s.decay)
        return {"loss": loss.item(), "found": found.item()}

    def export(self) -> Path:
        """The averaged network, with its figures on its card."""
        best = ArcFace(CONFIG).to(self.device)
        best.load_state_dict(self.run.averaged_state())
        card = {"name": "portraits-identity", "licence": "GPL-3.0-or-later",
                "made": "by `limner train identity`, from nothing, on painted portraits",
                "identity": list(IDENTITY), "steps": self.run.step, "settings": self.settings,
                "measured": evaluate(best.eval(), self.settings.held_out)}  # fmt: skip
        config = {**CONFIG.to_json(), "generator": PORTRAITS}
        return leave(self.run.folder, "identity", config, best.state_dict(), card)


def contrast(vectors: Tensor, who: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """The supervised contrastive loss, and how often the nearest other portrait is the same person.

    Args:
        vectors: (B, D) of unit length; who: (B,), each at least twice.
    """
    itself = torch.eye(len(who), dtype=torch.bool, device=who.device)
    same = (who[:, None] == who) & ~itself
    near = (vectors @ vectors.T / temperature).masked_fill(itself, -1e4)
    loss = -(near.log_softmax(1) * same).sum(1) / same.sum(1)
    found = same.gather(1, near.argmax(1, keepdim=True)).float().mean()
    return loss.mean(), found


@torch.no_grad()
def evaluate(network: ArcFace, people: int) -> Figures:
    """On held-out people in four looks each: mean similarity of the same and of different people,
    and the equal error rate: the part that is mistaken, at the similarity where as many of the same
    are taken for different as the other way round."""
    held_out = People(people, VIEWS, HELD_OUT)
    device, count = next(network.parameters()).device, people * VIEWS
    rows = list(range(count))
    vectors = torch.cat([
        network.identify(held_out.pictures(rows[k : k + 100]).to(device)).cpu()
        for k in range(0, count, 100)
    ])  # fmt: skip
    who = torch.arange(people).repeat_interleave(VIEWS)
    pairs = torch.triu(torch.ones(count, count, dtype=torch.bool), 1)
    same, near = (who[:, None] == who)[pairs], (vectors @ vectors.T)[pairs]
    return {
        "same": round(near[same].mean().item(), 4),
        "others": round(near[~same].mean().item(), 4),
        "equal error rate": round(equal_error(near[same], near[~same]), 4),
    }


def equal_error(same: Tensor, others: Tensor) -> float:
    """The equal error rate of two lots of similarities, (N,) and (M,)."""
    same, others = same.sort().values, others.sort().values
    missed = torch.arange(len(same)) / len(same)  # below each similarity of the same person
    taken = 1 - torch.searchsorted(others, same) / len(others)  # others that reach it
    k = int((missed - taken).abs().argmin())
    return float((missed[k] + taken[k]) / 2)
