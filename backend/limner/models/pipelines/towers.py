"""The two towers of a CLIP, as transformers keeps them, as one CLIP as open_clip reads it.

transformers has queries, keys and values apart, and projections the other way round. A pipeline
often has one tower alone: in the place of the other stands the smallest that open_clip can build,
and the card says what is lacking, so that `models.clip` refuses to use it. A folder that has it
completes the CLIP.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import torch

from limner.models import catalog
from limner.models.catalog import Installed
from limner.models.clip import IMAGE_ENCODER, TEXT_ENCODER, library
from limner.models.loading import read_json
from limner.models.networks import whole
from limner.models.pickles import shown
from limner.models.pipelines.folder import Part
from limner.models.pipelines.plan import Piece, Plan, Source
from limner_wire.errors import ErrorCode, LimnerError

TEXT, STATES = "CLIPTextModelWithProjection", "CLIPTextModel"  # the latter has no projection
IMAGE = "CLIPVisionModelWithProjection"
WORDS = 49408  # in the vocabulary of every CLIP of OpenAI's kind, which open_clip's tokenizer has
ENDS = (2, WORDS - 1)  # either way it is the highest token that is read off
GELUS = {"gelu": False, "quick_gelu": True}
MOST = {"hidden_size": 8192, "intermediate_size": 32768, "projection_dim": 8192,
        "num_attention_heads": 256, "num_hidden_layers": 128, "max_position_embeddings": 1024,
        "image_size": 1024, "patch_size": 256}  # fmt: skip
USUAL = {  # what transformers' configs say where they say nothing
    "hidden_act": "quick_gelu", "layer_norm_eps": 1e-5, "projection_dim": 512,
    "num_hidden_layers": 12,
}  # fmt: skip
USUAL_TEXT = USUAL | {
    "hidden_size": 512, "intermediate_size": 2048, "num_attention_heads": 8,
    "max_position_embeddings": 77, "vocab_size": WORDS, "eos_token_id": WORDS - 1,
}  # fmt: skip
USUAL_IMAGE = USUAL | {
    "hidden_size": 768, "intermediate_size": 3072, "num_attention_heads": 12, "image_size": 224,
    "patch_size": 32, "num_channels": 3,
}  # fmt: skip
LOGIT_SCALE = math.log(100)  # where training stops it; transformers' single towers have none
MEAN, STD = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)  # OpenAI's
NO_TEXT = {"context_length": 1, "vocab_size": 1, "width": 1, "heads": 1, "layers": 1}
NO_IMAGE = {"image_size": 1, "patch_size": 1, "width": 1, "head_width": 1, "layers": 1}

BLOCK = {
    "ln_1": "layer_norm1", "ln_2": "layer_norm2", "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1", "mlp.c_proj": "mlp.fc2",
}  # fmt: skip
SINGLE = {
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "ln_final.weight": "text_model.final_layer_norm.weight",
    "ln_final.bias": "text_model.final_layer_norm.bias",
    "text_projection": "text_projection.weight",
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.ln_pre.weight": "vision_model.pre_layrnorm.weight",  # their spelling
    "visual.ln_pre.bias": "vision_model.pre_layrnorm.bias",
    "visual.ln_post.weight": "vision_model.post_layernorm.weight",
    "visual.ln_post.bias": "vision_model.post_layernorm.bias",
    "visual.proj": "visual_projection.weight",
}
TURNED = ("text_projection", "visual.proj")


def source(name: str) -> Source:
    """Where one of open_clip's tensors lies in transformers' towers."""
    if name in SINGLE:
        return Source((SINGLE[name],), name in TURNED)
    match = re.fullmatch(r"(visual\.)?transformer\.resblocks\.(\d+)\.([\w.]+)", name)
    assert match is not None, name  # noqa: S101
    layer = f"{'vision' if match[1] else 'text'}_model.encoder.layers.{match[2]}"
    if joined := re.fullmatch(r"attn\.in_proj_(weight|bias)", match[3]):
        return Source(tuple(f"{layer}.self_attn.{p}_proj.{joined[1]}" for p in "qkv"))
    part, _, last = match[3].rpartition(".")
    return Source((f"{layer}.{BLOCK[part]}.{last}",))


def is_unused(name: str) -> bool:
    """Older versions wrote the numbers from 0 on as a tensor."""
    return name.endswith("_model.embeddings.position_ids")


def clip_plan(
    name: str, towers: Mapping[str, Part], look: Mapping[str, Any], here: Installed | None,
    facts: Mapping[str, Any],
) -> Plan | None:  # fmt: skip
    """A CLIP of towers, and of the one that lies here already; None if that lacks none of them.

    Args:
        towers: by what they are, `clip.TEXT_ENCODER` or `clip.IMAGE_ENCODER`.
        look: transformers' preprocessor_config.json, if there is one.
        here: the CLIP of that name, if there is one.
        facts: for its card.

    Raises:
        LimnerError: UNKNOWN_MODEL if open_clip can't build them, or they are not of one CLIP.
    """
    lacked = {TEXT_ENCODER, IMAGE_ENCODER} if here is None else {str(here.card.get("lacks"))}
    fresh = {what: part for what, part in towers.items() if what in lacked}
    if not fresh:
        return None
    old = {} if here is None else read_json(here.folder / catalog.CONFIG)
    model = dict(old.get("model_cfg", {}))
    for what, part in fresh.items():
        own = text_config(part) if what == TEXT_ENCODER else image_config(part)
        shared = [key for key in own if model.get(key, own[key]) != own[key] and "cfg" not in key]
        if shared:
            words = f"{part.name}/ belongs to another CLIP: its {shared[0]} is {own[shared[0]]}."
            raise LimnerError(ErrorCode.UNKNOWN_MODEL, words, "Give another --name.")
        model |= own
    model = {"text_cfg": NO_TEXT, "vision_cfg": NO_IMAGE, **model}
    seen = preprocessing(look) if IMAGE_ENCODER in fresh else old.get("preprocess_cfg", {})
    lacking = next(iter(lacked - set(fresh)), "")
    return Plan(
        name, catalog.CONFIG, {"model_cfg": model, "preprocess_cfg": seen},
        facts={"draws": 0, **facts, **({"lacks": lacking} if lacking else {})}, lacks=lacking,
        **_weights(model, fresh, here),
    )  # fmt: skip


def _weights(
    model: Mapping[str, Any], fresh: Mapping[str, Part], here: Installed | None
) -> dict[str, Any]:
    """Where each tensor of a CLIP comes from: a tower, the CLIP that is here, or nowhere."""
    shapes = _shapes(model)
    sides = {
        IMAGE_ENCODER: {n: s for n, s in shapes.items() if n.startswith("visual.")},
        TEXT_ENCODER: {n: s for n, s in shapes.items() if not n.startswith("visual.")},
    }
    pieces, rest = [], {"logit_scale": torch.tensor(LOGIT_SCALE)}
    for what, side in sides.items():
        if what in fresh:
            part = fresh[what]
            pieces.append(Piece(f"{part.name}/", part.files, side, source, is_unused))
        elif here is not None:
            others = set(shapes) - set(side) | {"logit_scale"}
            pieces.append(Piece(here.name, (here.weights,), side, is_unused=others.__contains__))
        else:
            rest |= {name: torch.zeros(shape) for name, shape in side.items()}
    return {"pieces": tuple(pieces), "rest": rest}


def _shapes(model: Mapping[str, Any]) -> dict[str, tuple[int, ...]]:
    try:
        with torch.device("meta"):
            network = library().CLIP(**model)
    except (AssertionError, ValueError, RuntimeError, TypeError, ZeroDivisionError) as problem:
        reason = " ".join(str(problem).split())
        words = f"There is no CLIP of these towers: {reason[:200]}"
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, words) from problem
    shapes = {name: tuple(value.shape) for name, value in network.state_dict().items()}
    del shapes["logit_scale"]
    return shapes


def text_config(part: Part) -> dict[str, Any]:
    """open_clip's config of a text tower.

    Raises:
        LimnerError: UNREADABLE if a number is out of bounds; UNKNOWN_MODEL for another vocabulary.
    """
    config = {**USUAL_TEXT, **part.config}
    if config["vocab_size"] != WORDS or config["eos_token_id"] not in ENDS:
        words = f"{part.name}/ has another vocabulary than the {WORDS} words of CLIP's."
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, words)
    tower = _tower(part, config)
    length = whole(config, "max_position_embeddings", MOST["max_position_embeddings"])
    text = {"context_length": length, "vocab_size": WORDS, **tower}
    if part.kind == STATES:
        text["proj_type"] = "none"
        return {"embed_dim": tower["width"], **_activation(part, config), "text_cfg": text}
    return {"embed_dim": whole(config, "projection_dim", MOST["projection_dim"]),
            **_activation(part, config), "text_cfg": text}  # fmt: skip


def image_config(part: Part) -> dict[str, Any]:
    """open_clip's config of an image tower.

    Raises:
        LimnerError: UNREADABLE if a number is out of bounds; UNKNOWN_MODEL if it is not one of
            colours.
    """
    config = {**USUAL_IMAGE, **part.config}
    if config["num_channels"] != 3:
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, f"{part.name}/ sees no pictures of 3 channels.")
    tower = _tower(part, config)
    sizes = {name: whole(config, name, MOST[name]) for name in ("image_size", "patch_size")}
    image = {**sizes, "head_width": tower["width"] // tower.pop("heads"), **tower}
    return {"embed_dim": whole(config, "projection_dim", MOST["projection_dim"]),
            **_activation(part, config), "vision_cfg": image}  # fmt: skip


def preprocessing(look: Mapping[str, Any]) -> dict[str, Any]:
    """open_clip's words for how pictures are shown to it; OpenAI's unless something else is said.

    Raises:
        LimnerError: UNREADABLE if what is said makes no sense.
    """
    mean, std = look.get("image_mean", MEAN), look.get("image_std", STD)
    for row in (mean, std):
        if (
            not isinstance(row, list | tuple)
            or len(row) != 3
            or not all(isinstance(x, int | float) and 0 <= x <= 1 for x in row)
        ):
            raise LimnerError(ErrorCode.UNREADABLE, "A preprocessor's mean or deviation is no RGB.")
    return {"mean": list(mean), "std": list(std)}


def _tower(part: Part, config: Mapping[str, Any]) -> dict[str, Any]:
    names = ("hidden_size", "num_attention_heads", "num_hidden_layers", "intermediate_size")
    width, heads, layers, inner = (whole(config, name, MOST[name]) for name in names)
    if config["layer_norm_eps"] != USUAL["layer_norm_eps"] or width % heads:
        words = f"{part.name}/ has norms of another epsilon than 1e-5, or heads of no whole width."
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, words)
    # open_clip rounds width * ratio down
    return {"width": width, "heads": heads, "layers": layers, "mlp_ratio": (inner + 0.5) / width}


def _activation(part: Part, config: Mapping[str, Any]) -> dict[str, bool]:
    name = str(config["hidden_act"])
    if name not in GELUS:
        words = f"{part.name}/ has {shown(name, 40)} between its layers, and not GELU."
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, words)
    return {"quick_gelu": GELUS[name]}
