"""The three published families of unCLIP, part by part, as networks of Limner's.

    Karlo               prior, decoder with text_proj, two networks that enlarge
    Kandinsky 2.2       a folder with the prior and its CLIP, and one with the decoder
    Stable unCLIP       a decoder with a text tower of its own; with a prior, or without

Each part's own config says how large it is. Everything else in it has to be as those that were
published have it, or the part is refused: what it would do is not what Limner would do with it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from limner.models import catalog, clip, networks
from limner.models.catalog import models_folder
from limner.models.clip import IMAGE_ENCODER, TEXT_ENCODER
from limner.models.loading import read_json
from limner.models.pipelines.folder import Part
from limner.models.pipelines.making import Making, check_config, expect, on_meta, row
from limner.models.pipelines.noise import noise_of
from limner.models.pipelines.towers import (
    IMAGE,
    STATES,
    TEXT,
    clip_plan,
    image_config,
    text_config,
)
from limner.models.unclip import decoder, latent_decoder, upsampler
from limner.models.unclip import diffusion_prior as prior
from limner_wire.errors import ErrorCode, LimnerError

UNET, CONDITIONED = "UNet2DModel", "UNet2DConditionModel"
TOKENS = 4  # of text_proj
SIDE_MOST, WIDTH_MOST = 1024, 16384  # of what a decoder diffuses, and of what it is told
LAYERS_MOST = 128  # of a prior: to build more takes minutes, even without numbers
# The settings that diffusers' pipelines have, for the methods that paint from an embedding.
WAYS = ("imagine", "variations", "blend", "text_diff", "probe")
GUIDED = ("imagine", "variations", "probe")  # the others begin with a picture, and keep to it


def recipe(steps: int, guidance: float, enlarge: int) -> dict[str, Any]:
    """Settings for a CLIP's card; a prior's are the same for all."""
    return {
        "imagine.prior_steps": 25, "imagine.prior_guidance": 4.0,
        **{f"{way}.steps": steps for way in WAYS}, **{f"{way}.enlarge": enlarge for way in WAYS},
        **{f"{way}.guidance": guidance for way in GUIDED},
    }  # fmt: skip


KARLO, KANDINSKY, STABLE = recipe(25, 8.0, 7), recipe(50, 4.0, 0), recipe(20, 10.0, 0)


def karlo(making: Making) -> None:
    """kakaobrain/karlo-v1-alpha, and karlo-v1-alpha-image-variations, which has no prior."""
    if making.has("prior"):
        plan_prior(making, "prior", "prior_scheduler")
    if making.has("decoder", "text_proj"):
        _karlo_decoder(making)
    if making.has("super_res_first", "super_res_last"):
        _karlo_upsampler(making)
    plan_clip(making, "text_encoder", "image_encoder", KARLO)


def kandinsky(making: Making) -> None:
    """kandinsky-community/kandinsky-2-2-prior and kandinsky-2-2-decoder."""
    if making.has("prior"):
        plan_prior(making, "prior", "scheduler")
    if making.has("unet", "movq"):
        _latent_decoder(making, "movq")
    plan_clip(making, "text_encoder", "image_encoder", KANDINSKY)


def stable(making: Making) -> None:
    """stabilityai/stable-diffusion-2-1-unclip and -small, with Karlo's prior or without one."""
    if making.has("prior"):
        plan_prior(making, "prior", "prior_scheduler")
    _latent_decoder(making, "vae")
    words = making.folder.part("text_encoder", STATES)
    facts = {**making.facts, "note": "reads words for a decoder alone", "parts": [words.name]}
    width = text_config(words)["text_cfg"]["width"]
    unet = making.folder.config("unet")
    expect("unet", "cross_attention_dim", unet.get("cross_attention_dim"), width)
    own = clip_plan(f"{making.name}-words", {TEXT_ENCODER: words}, {}, None, facts)
    making.plans += [] if own is None else [replace(own, lacks="")]  # nobody is to look with it
    plan_clip(making, "prior_text_encoder", "image_encoder", STABLE)


FAMILIES: Mapping[str, Callable[[Making], None]] = {
    "UnCLIPPipeline": karlo, "UnCLIPImageVariationPipeline": karlo,
    "KandinskyV22PriorPipeline": kandinsky, "KandinskyV22PriorEmb2EmbPipeline": kandinsky,
    "KandinskyV22Pipeline": kandinsky, "KandinskyV22Img2ImgPipeline": kandinsky,
    "StableUnCLIPPipeline": stable, "StableUnCLIPImg2ImgPipeline": stable,
}  # fmt: skip


def plan_clip(making: Making, text: str, image: str, settings: Mapping[str, Any]) -> None:
    """The CLIP of the towers that the folder has, and of the one that is here."""
    here = catalog.at(models_folder() / making.clip, making.clip)
    kinds = {TEXT_ENCODER: (text, TEXT), IMAGE_ENCODER: (image, IMAGE)}
    found = {what: making.folder.part(*of) for what, of in kinds.items() if making.has(of[0])}
    for what, part in found.items():
        said = text_config(part) if what == TEXT_ENCODER else image_config(part)
        making.widths[f"{part.name}/"] = said["embed_dim"]
        if what == TEXT_ENCODER:  # in all three families its states are as wide
            making.widths[f"the states of {part.name}/"] = said["text_cfg"]["width"]
            read = said["text_cfg"]["context_length"]
            expect("prior", "num_embeddings", making.length or read, read)
    if here is not None:
        making.widths[making.clip] = _model(here).get("embed_dim", 0)
    looks = [name for name in ("feature_extractor", "image_processor") if making.has(name)]
    look = making.folder.config(looks[0]) if looks else {}
    known = here.card.get("parts", []) if here else []
    parts = [*known, *(p.name for p in found.values() if p.name not in known)]
    facts = {"note": "what unCLIP paints from", **making.facts, "recipe": settings, "parts": parts,
             "licence": _both("licence", making.facts, here.card if here else {})}  # fmt: skip
    made = clip_plan(making.clip, found, look, here, facts)
    making.plans += [] if made is None else [made]


def plan_prior(making: Making, name: str, scheduler: str) -> None:
    """A diffusion prior, which is the same in all families."""
    part, noise = making.folder.part(name, "PriorTransformer"), noise_of(making.folder, scheduler)
    expect(scheduler, "prediction_type", noise.prediction, "sample")
    said = part.config
    layers = networks.whole(said, "num_layers", LAYERS_MOST)
    config = prior.Config.from_json({
        "clip": making.clip, "heads": said.get("num_attention_heads"),
        "head": said.get("attention_head_dim"), "layers": layers,
        "embedding": said.get("embedding_dim"), "states": said.get("embedding_dim"),
        "length": said.get("num_embeddings"), "unit": False, "clamp": noise.clamp,
        "schedule": noise.schedule,
    })  # fmt: skip
    made = on_meta(part, lambda: prior.DiffusionPrior(config))
    check_config(part, made.layers.config)
    making.widths[f"{name}/"], making.length = config.embedding, config.length
    making.plan("prior", config.to_json(), made, {"": part}, "draws a CLIP's picture of words")


def _karlo_decoder(making: Making) -> None:
    unet = making.folder.part("decoder", CONDITIONED)
    told = making.folder.part("text_proj", "UnCLIPTextProjModel")
    noise, said = noise_of(making.folder, "decoder_scheduler"), unet.config
    tokens = told.config.get("clip_extra_context_tokens", TOKENS)
    expect("text_proj", "clip_extra_context_tokens", tokens, TOKENS)
    width = told.config.get("clip_embeddings_dim")
    config = decoder.Config.from_json({
        "clip": making.clip, "size": _side(unet), "patch": 1, **_levels(unet),
        "head": said.get("attention_head_dim"), "embedding": width, "states": width, "gain": 1.0,
        "unit": False, "prediction": noise.prediction, "learned_variance": _learns(unet),
        "schedule": noise.schedule, "eta": 1.0,
    })  # fmt: skip
    made = on_meta(unet, lambda: decoder.Decoder(config))
    check_config(unet, made.decoder.config)
    making.widths["text_proj/"] = config.embedding
    parts = {"text_proj.": told, "decoder.": unet}
    making.plan("decoder", config.to_json(), made, parts, f"unCLIP, {config.size} px")


def _karlo_upsampler(making: Making) -> None:
    names = ("super_res_first", "super_res_last")
    first, last = (making.folder.part(name, UNET) for name in names)
    noise, said = noise_of(making.folder, "super_res_scheduler"), first.config
    low = _side(making.folder.part("decoder", CONDITIONED))
    config = upsampler.Config.from_json({
        "widths": row(first, "block_out_channels"), "layers": said.get("layers_per_block"),
        "groups": said.get("norm_num_groups"), "patch": 1, "scale": _side(first) // low,
        "prediction": noise.prediction, "schedule": noise.schedule, "eta": 1.0, "last": True,
    })  # fmt: skip
    made = on_meta(first, lambda: upsampler.whole_of(config))
    for part, key in ((first, "first"), (last, "last")):
        check_config(part, made.get_submodule(key).config)
    of = {**config.to_json(), "decoder": f"{making.name}-decoder"}
    making.plan("upsampler", of, made, {"first.": first, "last.": last},
                f"to {config.scale} times the size")  # fmt: skip


def _latent_decoder(making: Making, space: str) -> None:
    """Of Kandinsky 2.2, or of Stable unCLIP."""
    is_movq = space == "movq"
    unet = making.folder.part("unet", CONDITIONED)
    coder = making.folder.part(*(("movq", "VQModel") if is_movq else ("vae", "AutoencoderKL")))
    noise, said, inner = noise_of(making.folder, "scheduler"), unet.config, coder.config
    widths = row(coder, "block_out_channels")
    key = "encoder_hid_dim" if is_movq else "projection_class_embeddings_input_dim"
    told = networks.whole(said, key, WIDTH_MOST) // (1 if is_movq else 2)  # and how noisy it is
    config = latent_decoder.Config.from_json({
        "clip": making.clip, "reads": making.clip if is_movq else f"{making.name}-words",
        "space": space, "size": _side(unet) << max(len(widths) - 1, 0), **_levels(unet),
        "heads": said.get("attention_head_dim"), "embedding": told,
        "channels": inner.get("latent_channels"), "coder_widths": widths,
        "coder_layers": inner.get("layers_per_block"), "coder_groups": inner.get("norm_num_groups"),
        "codes": inner.get("num_vq_embeddings"), "prediction": noise.prediction,
        "scale": 1.0 if is_movq else inner.get("scaling_factor", 0.18215),
        "learned_variance": _learns(unet), "schedule": noise.schedule,
        "eta": float(noise.is_learned),
    })  # fmt: skip
    made = on_meta(unet, lambda: latent_decoder.LatentDecoder(config))
    check_config(unet, made.unet.config)
    check_config(coder, made.coder.config)
    making.widths["unet/"] = config.embedding
    rest = {"none": nothing_seen(making, config.embedding)} if is_movq else {}
    parts = {"unet.": unet, "coder.": coder}
    making.plan("decoder", config.to_json(), made, parts, f"unCLIP, {config.size} px", rest)


def nothing_seen(making: Making, width: int) -> Tensor:
    """(D,) what the image encoder says to zeros: Kandinsky's embedding of no picture.

    Raises:
        LimnerError: UNKNOWN_MODEL if there is no such encoder here.
    """
    here = catalog.at(models_folder() / making.clip, making.clip)
    if here is None or here.card.get("lacks") == IMAGE_ENCODER:
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            "The decoder has to know what the image encoder sees in nothing, and that is not here.",
            f"First add the folder with the prior and the encoders: --name {making.name}.",
        )
    if _model(here).get("embed_dim") != width:
        words = f"The decoder paints {width} numbers, and {making.clip} sees others."
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, words, "Give another --name.")
    return clip.Clip(here, torch.device("cpu")).unscaled().see_nothing()[0]


def _levels(unet: Part) -> dict[str, Any]:
    """What all three families' decoders say alike."""
    said = unet.config
    return {
        "widths": row(unet, "block_out_channels"),
        "attends": ["CrossAttn" in str(kind) for kind in row(unet, "down_block_types")],
        "layers": said.get("layers_per_block"), "groups": said.get("norm_num_groups"),
        "context": said.get("cross_attention_dim"),
    }  # fmt: skip


def _learns(unet: Part) -> bool:
    """Whether it puts out a variance too; its scheduler may leave that out."""
    made, taken = (networks.whole(unet.config, f"{k}_channels", WIDTH_MOST) for k in ("out", "in"))
    return made == 2 * taken


def _side(part: Part) -> int:
    return networks.whole(part.config, "sample_size", SIDE_MOST)


def _both(key: str, new: Mapping[str, Any], old: Mapping[str, Any]) -> str:
    """What two cards say, where that is not the same."""
    return " / ".join(dict.fromkeys(str(card[key]) for card in (old, new) if key in card))


def _model(here: catalog.Installed) -> Mapping[str, Any]:
    said: Mapping[str, Any] = read_json(here.folder / catalog.CONFIG).get("model_cfg", {})
    return said
