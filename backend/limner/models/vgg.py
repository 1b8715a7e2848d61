"""VGG16 (Simonyan & Zisserman 2015, arXiv 1409.1556), up to the last layer that STROTSS looks at.

Plain PyTorch layers under torchvision's names, so that its published weights load as they are,
whatever holds them: `vgg16-397923af.pth`, or safetensors. The weights are not ours to ship (they
come from ImageNet, 59 MB without the classifier): `limner models pull vgg16` fetches them,
`limner models add FILE --arch vgg16` takes a file, and what torchvision or timm fetched before is
found where they put it.
"""

from __future__ import annotations

import re
from pathlib import Path

import torch
from torch import Tensor, nn

from limner.models.catalog import VGG16, vgg16
from limner.models.loading import read_weights
from limner_wire.errors import ErrorCode, LimnerError

CONVOLUTIONS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)  # among torchvision's `features`
POOLINGS = (4, 9, 16, 23)
CAPTURED = (1, 3, 6, 8, 11, 13, 15, 22, 29)  # relu1_1 to relu3_3, relu4_3, relu5_3: 2176 channels
CLASSIFIER = re.compile(r"classifier\.[036]\.(weight|bias)|(pre_logits\.fc[12]|head\.fc)\.\w+")
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's


class Vgg16(nn.Module):
    """(1, 3, H, W), normalised, to the maps at `CAPTURED`.

    Args:
        widths: output channels of the thirteen convolutions.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        inputs = iter((3, *widths))
        outputs = iter(widths)
        for index in range(CAPTURED[-1] + 1):
            if index in CONVOLUTIONS:
                layers.append(nn.Conv2d(next(inputs), next(outputs), 3, padding=1))
            else:
                layers.append(nn.MaxPool2d(2) if index in POOLINGS else nn.ReLU())
        self.features = nn.Sequential(*layers)

    def forward(self, x: Tensor) -> list[Tensor]:
        out = []
        for index, layer in enumerate(self.features):
            x = layer(x)
            if index in CAPTURED:
                out.append(x)
        return out


class Vgg16Features:
    """VGG16 as a network that is looked into (`models.features.Features`); the sizes are those of
    StyleCLIPDraw's authors (3f2c425)."""

    name = "VGG16"
    side_px = 224
    columns, style_columns = 1024, 5000

    def __init__(self, device: torch.device, weights: Path | None = None) -> None:
        weights = weights or vgg16()
        if weights is None:
            raise LimnerError(
                ErrorCode.UNKNOWN_MODEL,
                "VGG16 is not on this machine.",
                f"Fetch it: limner models pull {VGG16.name}",
            )
        self._network = network(read_weights(weights)).to(device).eval().requires_grad_(False)
        self._mean = torch.tensor(MEAN, device=device)[:, None, None]
        self._std = torch.tensor(STD, device=device)[:, None, None]

    def maps(self, picture: Tensor) -> list[Tensor]:
        """2179 channels: the colours and nine layers."""
        x = ((picture - self._mean) / self._std)[None]
        return [x, *self._network(x)]


def network(tensors: dict[str, Tensor]) -> Vgg16:
    """The network of a weights file's tensors; the classifier's are left out.

    Raises:
        LimnerError: UNKNOWN_MODEL if they are another network's.
    """
    kept = convolutions(tensors)
    widths = tuple(int(kept[f"features.{k}.weight"].shape[0]) for k in CONVOLUTIONS)
    made = Vgg16(widths)
    try:
        made.load_state_dict(kept, strict=True)
    except RuntimeError as problem:
        raise _other(" ".join(str(problem).split())[:200]) from problem
    return made


def convolutions(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The convolutions' weights and biases alone.

    Raises:
        LimnerError: UNKNOWN_MODEL if one is missing, or there is something that VGG16 has not.
    """
    names = {f"features.{k}.{part}" for k in CONVOLUTIONS for part in ("weight", "bias")}
    if missing := sorted(names - set(tensors)):
        raise _other(f"{missing[0]} is missing")
    if strange := sorted(n for n in set(tensors) - names if not CLASSIFIER.fullmatch(n)):
        raise _other(f"it has no {strange[0][:60]}")
    if odd := sorted(n for n in names if tensors[n].ndim != (4 if n.endswith("weight") else 1)):
        raise _other(f"{odd[0]} has another shape")
    return {name: tensors[name].float().contiguous() for name in sorted(names)}


def _other(reason: str) -> LimnerError:
    return LimnerError(ErrorCode.UNKNOWN_MODEL, f"These are not the weights of VGG16: {reason}.")
