"""ArcFace (Deng et al. 2019, arXiv 1801.07698): a face to a unit vector that tells who it is.

The residual network with squeeze and excitation ("IR-SE", Hu et al. 2018, arXiv 1709.01507) that
StyleCLIP and e4e use, under the published names, so that `model_ir_se50.pth` loads as it is. Its
body also serves the encoders (`models.encoders`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from limner.models.networks import find, frozen, whole
from limner_wire.errors import ErrorCode, LimnerError

WIDTHS, UNITS = (64, 64, 128, 256, 512), (3, 4, 14, 3)  # of IR-SE50: the stem, then four stages
REDUCTION = 16  # of the squeeze
SEEN_PX = 256  # the picture of which the face is cut out
FACE = (slice(35, 223), slice(32, 220))  # rows and columns of it, in pictures aligned as FFHQ's


@dataclass(frozen=True, slots=True)
class Body:
    """How an IR-SE network is built.

    Attributes:
        widths: channels of the stem and of each stage; every stage halves the size.
        units: residual units in each stage.
    """

    widths: tuple[int, ...] = WIDTHS
    units: tuple[int, ...] = UNITS

    def __post_init__(self) -> None:
        sizes = (*self.widths, *self.units)
        if len(self.widths) != len(self.units) + 1 or not all(1 <= n <= 4096 for n in sizes):
            raise LimnerError(
                ErrorCode.UNREADABLE,
                f"There is no network of widths {self.widths} and units {self.units}.",
            )

    @property
    def ends(self) -> tuple[int, ...]:
        """The index of each stage's last unit: 2, 6, 20, 23 in IR-SE50."""
        return tuple(sum(self.units[: k + 1]) - 1 for k in range(len(self.units)))


IR_SE50 = Body()


@dataclass(frozen=True, slots=True)
class Config:
    """An identity network.

    Attributes:
        input_px: the side of the faces that it takes.
        dimensions: of the vector that it gives.
    """

    body: Body = IR_SE50
    input_px: int = 112
    dimensions: int = 512

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> Config:
        """The inverse of `to_json`.

        Raises:
            LimnerError: UNREADABLE if it tells no such network.
        """
        body = body_from_json(content)
        return cls(body, *(whole(content, name, 4096) for name in ("input_px", "dimensions")))

    def to_json(self) -> dict[str, Any]:
        """Plain numbers, for config.json."""
        sizes = {"input_px": self.input_px, "dimensions": self.dimensions}
        return {"body": asdict(self.body), **sizes}


def body_from_json(content: Mapping[str, Any]) -> Body:
    """The body that a config tells.

    Raises:
        LimnerError: UNREADABLE if it tells none.
    """
    try:
        told = content["body"]
        return Body(tuple(map(int, told["widths"])), tuple(map(int, told["units"])))
    except (KeyError, TypeError, ValueError) as problem:
        raise LimnerError(ErrorCode.UNREADABLE, "A network's config tells no body.") from problem


class Excitation(nn.Module):
    """Each channel scaled by what all channels' means say of it (Hu et al. 2018, section 3)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        squeezed = max(1, channels // REDUCTION)
        self.fc1 = nn.Conv2d(channels, squeezed, 1, bias=False)
        self.fc2 = nn.Conv2d(squeezed, channels, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        means = x.mean((2, 3), keepdim=True)
        return x * torch.sigmoid(self.fc2(F.relu(self.fc1(means))))


class Unit(nn.Module):
    """A residual unit ("bottleneck_IR_SE")."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        if inputs == outputs:
            self.shortcut_layer: nn.Module = nn.MaxPool2d(1, stride)
        else:
            straight = nn.Conv2d(inputs, outputs, 1, stride, bias=False)
            self.shortcut_layer = nn.Sequential(straight, nn.BatchNorm2d(outputs))
        self.res_layer = nn.Sequential(
            nn.BatchNorm2d(inputs),
            nn.Conv2d(inputs, outputs, 3, 1, 1, bias=False),
            nn.PReLU(outputs),
            nn.Conv2d(outputs, outputs, 3, stride, 1, bias=False),
            nn.BatchNorm2d(outputs),
            Excitation(outputs),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.res_layer(x) + self.shortcut_layer(x)
        return out


def stem(body: Body) -> nn.Sequential:
    """The input layer: (B, 3, H, W) to (B, widths[0], H, W)."""
    width = body.widths[0]
    first = nn.Conv2d(3, width, 3, 1, 1, bias=False)
    return nn.Sequential(first, nn.BatchNorm2d(width), nn.PReLU(width))


def units(body: Body) -> nn.Sequential:
    """The residual units of all stages."""
    rows = zip(body.widths[:-1], body.widths[1:], body.units, strict=True)
    layers: list[nn.Module] = []
    for inputs, outputs, count in rows:
        layers.append(Unit(inputs, outputs, 2))
        layers += [Unit(outputs, outputs, 1) for _ in range(count - 1)]
    return nn.Sequential(*layers)


class ArcFace(nn.Module):
    """Faces (B, 3, input_px, input_px) in [-1, 1] to unit vectors (B, dimensions)."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.config = config
        self.input_layer, self.body = stem(config.body), units(config.body)
        width = config.body.widths[-1]
        side = -(-config.input_px // 2 ** len(config.body.units))
        self.output_layer = nn.Sequential(
            nn.BatchNorm2d(width),
            nn.Dropout(0.6),
            nn.Flatten(),
            nn.Linear(width * side * side, config.dimensions),
            nn.BatchNorm1d(config.dimensions),
        )

    def forward(self, faces: Tensor) -> Tensor:
        out: Tensor = self.output_layer(self.body(self.input_layer(faces)))
        return F.normalize(out, dim=1)

    def identify(self, portraits: Tensor) -> Tensor:
        """Whole portraits (B, 3, H, W) in [-1, 1], aligned as FFHQ's, of any size, to unit vectors.

        As StyleCLIP's identity loss prepares them: averaged to 256 pixels, the face cut out, that
        averaged to the network's size. Differentiable.
        """
        seen = pooled(portraits, SEEN_PX)
        out: Tensor = self(pooled(seen[:, :, FACE[0], FACE[1]], self.config.input_px))
        return out


def pooled(x: Tensor, side: int) -> Tensor:
    """(B, C, H, W) to (B, C, side, side), each pixel the mean of those that it covers ("adaptive
    average pooling"); as two products of matrices, which every device has for every size."""
    if x.shape[2:] == (side, side):
        return x
    rows, columns = (_pooling(n, side).to(x) for n in x.shape[2:])
    return rows @ x @ columns.T


def _pooling(before: int, after: int) -> Tensor:
    """(after, before), whose rows are means over before·k / after to before·(k + 1) / after."""
    index, k = torch.arange(before), torch.arange(after)[:, None]
    covered = (index >= k * before // after) & (index < -(-(k + 1) * before // after))
    return covered / covered.sum(1, keepdim=True)


def load(name: str | None = None, device: torch.device | None = None) -> ArcFace:
    """An identity network on this machine, frozen; the best if none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is none of that name, or its weights are not its own.
    """
    found = find("identity", name)
    return frozen(found, ArcFace(Config.from_json(found.config)), device)


def body_of(names: Mapping[str, Sequence[int]]) -> Body:
    """The body of which these are the tensors' shapes, by their published names.

    Every stage but the first begins where the width changes.

    Raises:
        KeyError, IndexError: if they tell none.
    """
    count = len({name.split(".")[1] for name in names if name.startswith("body.")})
    depths = [names[f"body.{k}.res_layer.1.weight"][0] for k in range(count)]
    starts = [k for k in range(count) if k == 0 or depths[k] != depths[k - 1]]
    widths = (names["input_layer.0.weight"][0], *(depths[k] for k in starts))
    ends = [*starts[1:], count]
    return Body(widths, tuple(b - a for a, b in zip(starts, ends, strict=True)))
