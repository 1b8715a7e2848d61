"""Folders of published unCLIPs in their real format, tiny, with random weights.

diffusers' own classes save what is theirs; a CLIP's towers are written under transformers' names,
which is not installed here. All numbers are such as half precision has, so that nothing is lost
where they are kept in it.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from diffusers.models.autoencoders.autoencoder_kl import AutoencoderKL
from diffusers.models.autoencoders.vq_model import VQModel
from diffusers.models.transformers.prior_transformer import PriorTransformer
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.models.unets.unet_2d_condition import UNet2DConditionModel
from diffusers.pipelines.deprecated.unclip.text_proj import UnCLIPTextProjModel
from diffusers.pipelines.stable_diffusion.stable_unclip_image_normalizer import (
    StableUnCLIPImageNormalizer,
)
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from diffusers.schedulers.scheduling_pndm import PNDMScheduler
from diffusers.schedulers.scheduling_unclip import UnCLIPScheduler
from safetensors.torch import save_file
from torch import Tensor, nn

from limner.models import catalog, loading, store

D, LENGTH, WORDS = 16, 11, 49408  # of embeddings, of texts in tokens, of the vocabulary
README = "---\nlicense: creativeml-openrail-m\ntags:\n- unclip\n---\n# A tiny one\n"

TEXT = {
    "architectures": ["CLIPTextModelWithProjection"], "hidden_act": "quick_gelu",
    "hidden_size": D, "intermediate_size": 37, "num_attention_heads": 2, "num_hidden_layers": 2,
    "max_position_embeddings": LENGTH, "vocab_size": WORDS, "projection_dim": D,
    "layer_norm_eps": 1e-05, "eos_token_id": 2, "model_type": "clip_text_model",
}  # fmt: skip
IMAGE = {
    "architectures": ["CLIPVisionModelWithProjection"], "hidden_act": "quick_gelu",
    "hidden_size": 24, "intermediate_size": 50, "num_attention_heads": 3, "num_hidden_layers": 2,
    "image_size": 16, "patch_size": 8, "num_channels": 3, "projection_dim": D,
    "layer_norm_eps": 1e-05, "model_type": "clip_vision_model",
}  # fmt: skip
LOOK = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.3, 0.25], "crop_size": 16}


def rounded(module: Any) -> Any:
    """With numbers of half precision."""
    with torch.no_grad():
        for value in module.state_dict().values():
            value.copy_(value.half())
    return module.eval().requires_grad_(False)


def drawn(seed: int, *shape: int, scale: float = 0.2) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return (torch.randn(shape, generator=random) * scale).half().float()


# --- towers ---------------------------------------------------------------------------------------


def tower_state(config: dict[str, Any], kind: str) -> dict[str, Tensor]:
    """A tower's tensors under transformers' names; `kind` is "text" or "vision"."""
    width, inner, d = config["hidden_size"], config["intermediate_size"], config["projection_dim"]
    root, shapes = f"{kind}_model", dict[str, tuple[int, ...]]()
    if kind == "text":
        shapes |= {
            f"{root}.embeddings.token_embedding.weight": (config["vocab_size"], width),
            f"{root}.embeddings.position_embedding.weight": (
                config["max_position_embeddings"], width,
            ),
            f"{root}.final_layer_norm.weight": (width,), f"{root}.final_layer_norm.bias": (width,),
            "text_projection.weight": (d, width),
        }  # fmt: skip
    else:
        patch, patches = config["patch_size"], (config["image_size"] // config["patch_size"]) ** 2
        shapes |= {
            f"{root}.embeddings.class_embedding": (width,),
            f"{root}.embeddings.patch_embedding.weight": (width, 3, patch, patch),
            f"{root}.embeddings.position_embedding.weight": (patches + 1, width),
            "visual_projection.weight": (d, width),
        }
        for norm in ("pre_layrnorm", "post_layernorm"):
            shapes |= {f"{root}.{norm}.weight": (width,), f"{root}.{norm}.bias": (width,)}
    for k in range(config["num_hidden_layers"]):
        layer = f"{root}.encoder.layers.{k}"
        for part in "qkv":
            shapes[f"{layer}.self_attn.{part}_proj.weight"] = (width, width)
            shapes[f"{layer}.self_attn.{part}_proj.bias"] = (width,)
        for name, shape in {
            "self_attn.out_proj": (width, width), "mlp.fc1": (inner, width),
            "mlp.fc2": (width, inner), "layer_norm1": (width,), "layer_norm2": (width,),
        }.items():  # fmt: skip
            shapes |= {f"{layer}.{name}.weight": shape, f"{layer}.{name}.bias": shape[:1]}
    state = {name: drawn(seed, *shape) for seed, (name, shape) in enumerate(shapes.items())}
    for name in state:
        if "norm" in name and name.endswith("weight"):
            state[name] = (state[name] + 1).half().float()
    return state


def write_tower(folder: Path, config: dict[str, Any], state: dict[str, Tensor]) -> None:
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config))
    ids = {f"{next(iter(state)).split('.')[0]}.embeddings.position_ids": torch.arange(5)[None]}
    save_file({**state, **ids}, folder / "model.safetensors", {"format": "pt"})


# --- diffusers' parts -----------------------------------------------------------------------------


def prior(seed: int = 0) -> Any:
    torch.manual_seed(seed)
    made = PriorTransformer(
        num_attention_heads=2, attention_head_dim=8, num_layers=2, embedding_dim=D,
        num_embeddings=LENGTH,
    )  # fmt: skip
    made.clip_mean = nn.Parameter(torch.randn(1, D) * 0.1)
    made.clip_std = nn.Parameter(torch.rand(1, D) + 0.5)
    for value in (made.positional_embedding, made.prd_embedding):
        nn.init.normal_(value, std=0.1)
    return rounded(made)


def karlo_decoder(seed: int = 1) -> tuple[Any, Any]:
    """The UNet and text_proj."""
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=8, layers_per_block=1, block_out_channels=(16, 24), in_channels=3,
        out_channels=6, cross_attention_dim=20, class_embed_type="identity", norm_num_groups=4,
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn", attention_head_dim=8,
        resnet_time_scale_shift="scale_shift",
    )  # fmt: skip
    told = UnCLIPTextProjModel(clip_embeddings_dim=D, time_embed_dim=64, cross_attention_dim=20)
    nn.init.normal_(told.learned_classifier_free_guidance_embeddings)
    return rounded(unet), rounded(told)


def super_res(seed: int) -> Any:
    torch.manual_seed(seed)
    return rounded(UNet2DModel(
        sample_size=32, layers_per_block=1, block_out_channels=(8, 16), in_channels=6,
        out_channels=3, add_attention=False, norm_num_groups=4,
        down_block_types=("ResnetDownsampleBlock2D",) * 2,
        up_block_types=("ResnetUpsampleBlock2D",) * 2,
    ))  # fmt: skip


def kandinsky_decoder(seed: int = 4) -> tuple[Any, Any]:
    """The UNet and the MoVQ."""
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=8, addition_embed_type="image",
        down_block_types=("ResnetDownsampleBlock2D", "SimpleCrossAttnDownBlock2D"),
        up_block_types=("SimpleCrossAttnUpBlock2D", "ResnetUpsampleBlock2D"),
        mid_block_type="UNetMidBlock2DSimpleCrossAttn", block_out_channels=(16, 24),
        layers_per_block=1, encoder_hid_dim=D, encoder_hid_dim_type="image_proj",
        cross_attention_dim=20, attention_head_dim=4, resnet_time_scale_shift="scale_shift",
        norm_num_groups=4, class_embed_type=None,
    )  # fmt: skip
    movq = VQModel(
        block_out_channels=(32, 64), in_channels=3, out_channels=3, latent_channels=4,
        down_block_types=("DownEncoderBlock2D", "AttnDownEncoderBlock2D"),
        up_block_types=("AttnUpDecoderBlock2D", "UpDecoderBlock2D"), layers_per_block=1,
        norm_num_groups=8, norm_type="spatial", num_vq_embeddings=12, vq_embed_dim=4,
    )  # fmt: skip
    return rounded(unet), rounded(movq)


def stable_decoder(context: int, seed: int = 6) -> tuple[Any, Any]:
    """The UNet and the VAE."""
    torch.manual_seed(seed)
    unet = UNet2DConditionModel(
        sample_size=8, in_channels=4, out_channels=4, block_out_channels=(16, 32),
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"), attention_head_dim=(2, 4),
        class_embed_type="projection", projection_class_embeddings_input_dim=2 * D,
        cross_attention_dim=context, layers_per_block=1, upcast_attention=True,
        use_linear_projection=True, norm_num_groups=8,
    )  # fmt: skip
    vae = AutoencoderKL(
        block_out_channels=(8, 16), norm_num_groups=4, latent_channels=4, sample_size=16,
        down_block_types=("DownEncoderBlock2D",) * 2, up_block_types=("UpDecoderBlock2D",) * 2,
    )  # fmt: skip
    return rounded(unet), rounded(vae)


# --- folders --------------------------------------------------------------------------------------


def write_index(folder: Path, kind: str, parts: dict[str, tuple[str | None, str | None]]) -> None:
    listed = {name: list(value) for name, value in parts.items()}
    about = {"_class_name": kind, "_diffusers_version": "0.12.0", **listed}
    (folder / "model_index.json").write_text(json.dumps(about))


def write_karlo(folder: Path) -> Path:
    """kakaobrain/karlo-v1-alpha."""
    folder.mkdir()
    write_tower(folder / "text_encoder", TEXT, tower_state(TEXT, "text"))
    prior().save_pretrained(folder / "prior")
    sample = {"prediction_type": "sample", "clip_sample_range": 5.0}
    UnCLIPScheduler(**sample).save_pretrained(folder / "prior_scheduler")
    _write_karlo_decoder(folder)
    write_index(folder, "UnCLIPPipeline", {
        "prior": ("diffusers", "PriorTransformer"), **KARLO_PARTS,
        "prior_scheduler": ("diffusers", "UnCLIPScheduler"),
    })  # fmt: skip
    (folder / "README.md").write_text(README)
    return folder


def write_variations(folder: Path) -> Path:
    """kakaobrain/karlo-v1-alpha-image-variations."""
    folder.mkdir()
    write_tower(folder / "text_encoder", TEXT, tower_state(TEXT, "text"))
    write_tower(folder / "image_encoder", IMAGE, tower_state(IMAGE, "vision"))
    _write_look(folder, "feature_extractor")
    _write_karlo_decoder(folder)
    write_index(folder, "UnCLIPImageVariationPipeline", {
        **KARLO_PARTS, "feature_extractor": ("transformers", "CLIPFeatureExtractor"),
        "image_encoder": ("transformers", "CLIPVisionModelWithProjection"),
    })  # fmt: skip
    return folder


KARLO_PARTS = {
    "decoder": ("diffusers", "UNet2DConditionModel"),
    "text_proj": ("unclip", "UnCLIPTextProjModel"),
    "text_encoder": ("transformers", "CLIPTextModelWithProjection"),
    "tokenizer": ("transformers", "CLIPTokenizer"), "super_res_first": ("diffusers", "UNet2DModel"),
    "super_res_last": ("diffusers", "UNet2DModel"),
    "decoder_scheduler": ("diffusers", "UnCLIPScheduler"),
    "super_res_scheduler": ("diffusers", "UnCLIPScheduler"),
}  # fmt: skip


def _write_karlo_decoder(folder: Path) -> None:
    unet, told = karlo_decoder()
    unet.save_pretrained(folder / "decoder")
    told.save_pretrained(folder / "text_proj")
    for seed, name in ((2, "super_res_first"), (3, "super_res_last")):
        super_res(seed).save_pretrained(folder / name)
    learned = UnCLIPScheduler(variance_type="learned_range")
    learned.save_pretrained(folder / "decoder_scheduler")
    UnCLIPScheduler().save_pretrained(folder / "super_res_scheduler")


def write_kandinsky_prior(folder: Path) -> Path:
    """kandinsky-community/kandinsky-2-2-prior."""
    folder.mkdir()
    prior().save_pretrained(folder / "prior")
    for name, config, kind in (("text_encoder", TEXT, "text"), ("image_encoder", IMAGE, "vision")):
        gelu = {**config, "hidden_act": "gelu"}
        write_tower(folder / name, gelu, tower_state(gelu, kind))
    _write_look(folder, "image_processor")
    sample = {"prediction_type": "sample", "clip_sample_range": 10.0}
    UnCLIPScheduler(**sample).save_pretrained(folder / "scheduler")
    write_index(folder, "KandinskyV22PriorPipeline", {
        "prior": ("diffusers", "PriorTransformer"), "scheduler": ("diffusers", "UnCLIPScheduler"),
        "text_encoder": ("transformers", "CLIPTextModelWithProjection"),
        "image_encoder": ("transformers", "CLIPVisionModelWithProjection"),
        "image_processor": ("transformers", "CLIPImageProcessor"),
        "tokenizer": ("transformers", "CLIPTokenizer"),
    })  # fmt: skip
    (folder / "LICENSE").write_text("\n   Apache License 2.0\n")
    return folder


def write_kandinsky_decoder(folder: Path) -> Path:
    """kandinsky-community/kandinsky-2-2-decoder."""
    folder.mkdir()
    unet, movq = kandinsky_decoder()
    unet.save_pretrained(folder / "unet")
    movq.save_pretrained(folder / "movq")
    DDPMScheduler(
        beta_schedule="linear", beta_start=0.00085, beta_end=0.012, clip_sample=False,
        variance_type="learned_range",
    ).save_pretrained(folder / "scheduler")  # fmt: skip
    write_index(folder, "KandinskyV22Pipeline", {
        "unet": ("diffusers", "UNet2DConditionModel"), "movq": ("diffusers", "VQModel"),
        "scheduler": ("diffusers", "DDPMScheduler"),
    })  # fmt: skip
    return folder


# The text tower of Stable Diffusion 2.1: wider than the embeddings, another GELU, no projection.
STABLE_TEXT = {**TEXT, "architectures": ["CLIPTextModel"], "hidden_act": "gelu", "hidden_size": 20}


def write_stable(folder: Path) -> Path:
    """stabilityai/stable-diffusion-2-1-unclip-small."""
    _write_stable_decoder(folder)
    write_tower(folder / "image_encoder", IMAGE, tower_state(IMAGE, "vision"))
    _write_look(folder, "feature_extractor")
    write_index(folder, "StableUnCLIPImg2ImgPipeline", {
        **STABLE_PARTS, "feature_extractor": ("transformers", "CLIPImageProcessor"),
        "image_encoder": ("transformers", "CLIPVisionModelWithProjection"),
    })  # fmt: skip
    return folder


def write_stable_with_prior(folder: Path) -> Path:
    """The same with Karlo's prior, as diffusers' StableUnCLIPPipeline saves it."""
    _write_stable_decoder(folder)
    prior().save_pretrained(folder / "prior")
    write_tower(folder / "prior_text_encoder", TEXT, tower_state(TEXT, "text"))
    DDPMScheduler(
        prediction_type="sample", beta_schedule="squaredcos_cap_v2", clip_sample_range=5.0
    ).save_pretrained(folder / "prior_scheduler")
    write_index(folder, "StableUnCLIPPipeline", {
        **STABLE_PARTS, "prior": ("diffusers", "PriorTransformer"),
        "prior_text_encoder": ("transformers", "CLIPTextModelWithProjection"),
        "prior_tokenizer": ("transformers", "CLIPTokenizer"),
        "prior_scheduler": ("diffusers", "DDPMScheduler"),
    })  # fmt: skip
    return folder


STABLE_PARTS = {
    "unet": ("diffusers", "UNet2DConditionModel"), "vae": ("diffusers", "AutoencoderKL"),
    "text_encoder": ("transformers", "CLIPTextModel"),
    "tokenizer": ("transformers", "CLIPTokenizer"), "scheduler": ("diffusers", "PNDMScheduler"),
    "image_normalizer": ("stable_diffusion", "StableUnCLIPImageNormalizer"),
    "image_noising_scheduler": ("diffusers", "DDPMScheduler"), "safety_checker": (None, None),
}  # fmt: skip


def _write_stable_decoder(folder: Path) -> None:
    folder.mkdir()
    state = tower_state(STABLE_TEXT, "text")
    del state["text_projection.weight"]
    write_tower(folder / "text_encoder", STABLE_TEXT, state)
    unet, vae = stable_decoder(STABLE_TEXT["hidden_size"])
    unet.save_pretrained(folder / "unet")
    vae.save_pretrained(folder / "vae")
    StableUnCLIPImageNormalizer(D).save_pretrained(folder / "image_normalizer")
    PNDMScheduler(
        beta_schedule="scaled_linear", beta_start=0.00085, beta_end=0.012, skip_prk_steps=True,
        prediction_type="v_prediction",
    ).save_pretrained(folder / "scheduler")  # fmt: skip


def _write_look(folder: Path, name: str) -> None:
    (folder / name).mkdir()
    (folder / name / "preprocessor_config.json").write_text(json.dumps(LOOK))


def added(path: Path, name: str | None = None) -> list[str]:
    """What is told of it."""
    said: list[str] = []
    store.add(path, name, None, said.append)
    return said


def card(name: str) -> dict[str, Any]:
    return loading.read_json(catalog.models_folder() / name / "card.json")
