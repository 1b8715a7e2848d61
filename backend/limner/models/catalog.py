"""Which CLIP models there are, which lie on this machine, and which draws best.

A model on this machine is a folder as open_clip reads it (`local-dir:`): `open_clip_config.json`,
weights, and our `card.json` with where it came from and its licence. The starter comes with
Limner; others lie in the user's data folder, put there by `limner models pull` or `add`, or in
the Hugging Face cache, put there by another program. Nothing is fetched here: `models.store` does
that, when it is asked to.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from limner.models.loading import read_json
from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.place import data_folder

STARTER = "starter"
STARTER_FOLDER = Path(__file__).parent.parent / "starter" / "clip"
PORTRAITS = "portraits-64"  # the starter's generator
PORTRAITS_CLIP = "portraits-clip"  # reads its pictures
SCENES_CLIP = "scenes-clip"  # what the starter's unCLIP paints from
CONFIG = "open_clip_config.json"
WORDS = "vocabulary.json"
WEIGHTS = ("model.safetensors", "open_clip_model.safetensors", "open_clip_pytorch_model.bin")


@dataclass(frozen=True, slots=True)
class Published:
    """A published model that `limner models pull` knows by name.

    Attributes:
        repository: on the Hugging Face hub, with open_clip's config and weights in it.
        draws: how well it draws, 0 to 9; the best on the machine is the default. Adversarially
            fine-tuned towers stand first: their gradients follow shapes (CLIPAG, arXiv 2306.16805).
    """

    name: str
    repository: str
    licence: str
    size_mb: int
    draws: int
    note: str


PUBLISHED = (
    Published("FARE4-convnext-base", "chs20/FARE4-convnext_base_w-laion2B-s13B-b82K-augreg",
              "MIT", 717, 9, "adversarially fine-tuned ConvNeXt: shapes rather than noise"),
    Published("FARE2-ViT-L-14", "chs20/fare2-clip", "MIT", 1710, 8,
              "adversarially fine-tuned ViT-L/14"),
    Published("ViT-L-14", "timm/vit_large_patch14_clip_224.openai", "MIT", 1710, 5,
              "OpenAI's largest at 224 px"),
    Published("ViT-B-16", "timm/vit_base_patch16_clip_224.openai", "MIT", 599, 4,
              "OpenAI's, finer patches"),
    Published("ViT-B-32", "timm/vit_base_patch32_clip_224.openai", "MIT", 605, 3,
              "the model of the CLIPDraw paper"),
)  # fmt: skip
STARTER_DRAWS = 1


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A published unCLIP that `limner models pull` knows by name; it becomes a few networks.

    Attributes:
        repositories: on the Hugging Face hub, in diffusers' layout, and the parts that are wanted
            of each; what the first has, the next adds to.
        size_mb: about, of what is fetched.
    """

    name: str
    repositories: Mapping[str, tuple[str, ...]]
    licence: str
    size_mb: int
    note: str


PIPELINES = (
    Pipeline(
        "karlo",
        {
            "kakaobrain/karlo-v1-alpha": (
                "prior", "prior_scheduler", "text_encoder", "decoder", "decoder_scheduler",
                "text_proj", "super_res_first", "super_res_last", "super_res_scheduler",
            ),
            "kakaobrain/karlo-v1-alpha-image-variations": ("image_encoder", "feature_extractor"),
        },
        "CreativeML OpenRAIL-M", 15000, "unCLIP at 256 px, from words and from pictures",
    ),
    Pipeline(
        "kandinsky-2-2",
        {
            "kandinsky-community/kandinsky-2-2-prior": (
                "prior", "scheduler", "text_encoder", "image_encoder", "image_processor",
            ),
            "kandinsky-community/kandinsky-2-2-decoder": ("unet", "movq", "scheduler"),
        },
        "Apache-2.0", 19000, "unCLIP at 512 px, in the latents of a MoVQ",
    ),
)  # fmt: skip

# Not a CLIP: it draws nothing itself, and tells the style methods one look from another.
VGG16 = Published("vgg16", "timm/vgg16.tv_in1k", "BSD-3-Clause", 553, 0,
                  "for style pictures: torchvision's, trained on ImageNet")  # fmt: skip
VGG16_FILE = "hub/checkpoints/vgg16-397923af.pth"  # as torchvision itself fetches it


@dataclass(frozen=True, slots=True)
class Installed:
    """A model that lies on this machine."""

    name: str
    folder: Path
    weights: Path
    card: Mapping[str, Any] = field(default_factory=dict)

    @property
    def generator(self) -> str:
        """The generator whose pictures it was trained on; none for what has seen all kinds."""
        return str(self.card.get("generator", ""))

    @property
    def draws(self) -> int:
        """How well it draws, 0 to 9; a model that nobody has judged stands above the starter, one
        whose gradients are for a generator or for nothing (its card says so) below it."""
        if self.generator or self.card.get("draws") == 0:
            return 0
        known = {p.name: p.draws for p in PUBLISHED} | {STARTER: STARTER_DRAWS}
        return known.get(self.name, 2)


def models_folder() -> Path:
    """Where the user's models lie; `LIMNER_MODELS` names another place."""
    named = os.environ.get("LIMNER_MODELS")
    return Path(named) if named else data_folder() / "models"


def installed() -> list[Installed]:
    """The models on this machine, the one that draws best first."""
    folders = {STARTER: STARTER_FOLDER}
    folders |= {n: STARTER_FOLDER.with_name(n) for n in (PORTRAITS_CLIP, SCENES_CLIP)}
    folders |= {p.name: f for p in PUBLISHED if (f := _cached(p)) is not None}
    if models_folder().is_dir():
        folders |= {f.name: f for f in sorted(models_folder().iterdir())}
    found = [m for name, folder in folders.items() if (m := at(folder, name)) is not None]
    return sorted(found, key=lambda m: (-m.draws, m.name))


def at(folder: Path, name: str) -> Installed | None:
    """The model in a folder, if open_clip could read one there."""
    weights = next((folder / w for w in WEIGHTS if (folder / w).is_file()), None)
    if weights is None or not (folder / CONFIG).is_file():
        return None
    card = folder / "card.json"
    return Installed(name, folder, weights, read_json(card) if card.is_file() else {})


def _cached(model: Published) -> Path | None:
    """Where the Hugging Face cache holds a model that another program fetched."""
    from huggingface_hub import try_to_load_from_cache

    config = try_to_load_from_cache(model.repository, CONFIG)
    return Path(config).parent if isinstance(config, str) else None


def find(name: str | None) -> Installed:
    """The model of that name or folder; the one that draws best when none is named.

    Raises:
        LimnerError: UNKNOWN_MODEL, with what to do about it.
    """
    here = installed()
    if name is None:
        if here:
            return here[0]
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            "The starter model is missing from this installation.",
            "Install Limner again, or name a model with --model.",
        )
    for model in here:
        if model.name == name:
            return model
    if (given := at(Path(name), Path(name).name)) is not None:
        return given
    raise LimnerError(ErrorCode.UNKNOWN_MODEL, *_unknown(name, [m.name for m in here]))


def vgg16() -> Path | None:
    """Where VGG16's weights lie on this machine, if they do: put there by Limner, by a program that
    uses the Hugging Face hub, or by torchvision."""
    from huggingface_hub import try_to_load_from_cache

    own = models_folder() / VGG16.name / WEIGHTS[0]
    cached = try_to_load_from_cache(VGG16.repository, WEIGHTS[0])
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    torch_home = Path(os.environ.get("TORCH_HOME", f"{cache}/torch")).expanduser()
    places = [own, *([Path(cached)] if isinstance(cached, str) else []), torch_home / VGG16_FILE]
    return next((path for path in places if path.is_file()), None)


def published(name: str) -> Published | Pipeline | None:
    """What `limner models pull` would fetch under this name."""
    return next((p for p in (*PUBLISHED, VGG16, *PIPELINES) if p.name == name), None)


def _unknown(name: str, here: list[str]) -> tuple[str, str]:
    if published(name):
        return f"Model {name!r} is not on this machine.", f"Fetch it: limner models pull {name}"
    return (
        f"There is no model {name!r}.",
        f"On this machine: {', '.join(here) or 'none'}. `limner models list` shows all.",
    )
