from __future__ import annotations

import pytest
import torch

from limner import session
from limner.methods.base import Inputs, Models
from limner.methods.trace import Params, Trace, edge_direction, fit
from limner.vector.rasterizer import render
from limner_wire.errors import LimnerError

CPU = torch.device("cpu")
SIZE = (80, 100)


def picture() -> torch.Tensor:
    """(3, 80, 100): a blue disc and an orange bar on white."""
    y, x = torch.meshgrid(torch.arange(80) + 0.5, torch.arange(100) + 0.5, indexing="ij")
    out = torch.ones(3, 80, 100)
    out[:, (x - 35).square() + (y - 40).square() < 20**2] = torch.tensor([[0.1], [0.2], [0.8]])
    out[:, (x > 65) & (x < 85) & (y > 15) & (y < 65)] = torch.tensor([[0.9], [0.5], [0.1]])
    return out


def error(strokes: object) -> float:
    return float((render(strokes, SIZE)[0] - picture()).square().mean())  # type: ignore[arg-type]


def test_a_picture_becomes_strokes() -> None:
    outcome = session.run(
        Trace(), Params(strokes=40, steps=90), Inputs(SIZE, picture=picture()), Models(), device=CPU
    )
    assert outcome.result.strokes.count == 40
    assert error(outcome.result.strokes) < 0.004  # a white canvas is 0.14 away
    assert outcome.result.score == pytest.approx(-error(outcome.result.strokes), rel=0.2)


def test_more_strokes_are_nearer() -> None:
    few, many = (
        fit(picture(), count, SIZE, torch.Generator().manual_seed(0), steps=25) for count in (6, 60)
    )
    assert error(many) < 0.5 * error(few)


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_any_number_of_strokes_is_laid_to_the_last(count: int) -> None:
    strokes = fit(picture(), count, SIZE, torch.Generator().manual_seed(0), steps=2)
    assert strokes.count == count


def test_a_picture_without_anything_on_it_does_no_harm() -> None:
    strokes = fit(torch.ones(3, 40, 40), 5, (40, 40), torch.Generator().manual_seed(0), steps=3)
    assert bool(strokes.points.isfinite().all())


def test_strokes_run_along_edges() -> None:
    stripes = (torch.arange(40) // 5 % 2).float().expand(3, 40, 40)  # vertical bars
    along = edge_direction(stripes)
    assert float(along[1].abs().mean()) > 0.9


def test_no_picture_is_told() -> None:
    with pytest.raises(LimnerError, match="no picture"):
        Trace().setup(Params(), Inputs(SIZE), Models(), CPU)
