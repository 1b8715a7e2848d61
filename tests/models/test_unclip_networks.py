"""Published unCLIPs from folders in their real format: each part does as diffusers' own class does
with the same numbers, its towers as transformers' do, and they paint."""

from __future__ import annotations

import json
import math
import shutil
import weakref
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
import unclip_folders as folders
from safetensors.torch import load_file, save_file
from torch import Tensor
from unclip_folders import IMAGE, LENGTH, STABLE_TEXT, TEXT, D, added, drawn

from limner.methods import imagining
from limner.methods.base import Inputs, Models
from limner.methods.editing import own_clips
from limner.methods.imagine import Imagine
from limner.methods.schema import with_recipe
from limner.methods.text_diff import TextDiff
from limner.methods.variations import Variations
from limner.models import clip, networks, store
from limner.models.clip import Clip, Words
from limner.models.unclip import decoder as decoders
from limner.models.unclip import diffusion_prior as prior
from limner.models.unclip import latent_decoder
from limner.models.unclip import prior as priors
from limner.models.unclip import upsampler as upsamplers
from limner.models.unclip.drawing import Drawing, Told
from limner_wire.errors import LimnerError

CPU = torch.device("cpu")
SAME = {"rtol": 0.0, "atol": 1e-5}  # sums in another order, in single precision
PROMPT = "a red apple"
FAMILIES = ("karlo", "kandinsky", "stable")


def words(seed: int, width: int = D) -> Words:
    """Two captions, of which the second is short."""
    known = torch.arange(LENGTH)[None] < torch.tensor([[LENGTH], [4]])
    return Words(drawn(seed, 2, D, scale=1.0), drawn(seed + 1, 2, LENGTH, width, scale=1.0), known)


# --- parts against diffusers' own ---


def test_the_published_sizes() -> None:
    """In millions of numbers, as the projects tell: what has other ones is no such network."""
    karlo = prior.Config("", 32, 64, 20, 768, 768, 77, unit=False)
    painter = decoders.Config(
        "", 64, 1, (320, 640, 960, 1280), (False, True, True, True), 3, 32, 1536, 64, 768, 768,
        learned_variance=True,
    )  # fmt: skip
    four = {"channels": 4, "coder_layers": 2, "coder_groups": 32, "prediction": "epsilon"}
    kandinsky = latent_decoder.Config(
        "", "", "movq", 512, (384, 768, 1152, 1536), (False, True, True, True), 64, 3, 32, 768,
        1280, coder_widths=(128, 256, 256, 512), codes=16384, scale=1.0, learned_variance=True,
        schedule="latent-linear", eta=1.0, **four,
    )  # fmt: skip
    stable = latent_decoder.Config(
        "", "", "vae", 768, (320, 640, 1280, 1280), (True, True, True, False), (5, 10, 20, 20), 2,
        32, 1024, 1024, coder_widths=(128, 256, 512, 512), codes=0, scale=0.18215,
        learned_variance=False, schedule="latent-scaled", eta=0.0, **four,
    )  # fmt: skip
    with torch.device("meta"):
        sizes = {
            "Karlo's prior": millions(prior.DiffusionPrior(karlo)),
            "Karlo's decoder": millions(decoders.Decoder(painter).decoder),
            "Karlo's upsamplers": millions(upsamplers.whole_of(upsamplers.KARLO)),
            "Kandinsky's UNet": millions(latent_decoder.LatentDecoder(kandinsky).unet),
            "its MoVQ": millions(latent_decoder.LatentDecoder(kandinsky).coder),
            "Stable unCLIP's VAE": millions(latent_decoder.LatentDecoder(stable).coder),
        }
    assert sizes == {
        "Karlo's prior": 1022, "Karlo's decoder": 885, "Karlo's upsamplers": 1383,
        "Kandinsky's UNet": 1253, "its MoVQ": 68, "Stable unCLIP's VAE": 84,
    }  # fmt: skip


def millions(network: torch.nn.Module) -> int:
    return round(sum(value.numel() for value in network.state_dict().values()) / 1e6)


def test_karlos_decoder_does_as_diffusers(models: Path) -> None:
    unet, told = folders.karlo_decoder()
    made = decoders.load("karlo-decoder")
    noisy, z, said = drawn(1, 2, 3, 8, 8, scale=1.0), drawn(2, 2, D, scale=1.0), words(3)
    times = torch.tensor([700, 20])
    states, added_to_time = told(
        image_embeddings=z, prompt_embeds=said.embedding,
        text_encoder_hidden_states=said.states, do_classifier_free_guidance=False,
    )  # fmt: skip
    mask = F.pad(said.known, (4, 0), value=True)
    expected = unet(
        noisy, times, states, class_labels=added_to_time, attention_mask=mask
    ).sample.chunk(2, 1)
    with torch.no_grad():
        out, share = made(noisy, times, made.embedded(z), said)
    assert share is not None and (made.config.eta, made.config.unit) == (1.0, False)
    torch.testing.assert_close(out, expected[0], **SAME)
    torch.testing.assert_close(share, expected[1], **SAME)
    # the trap: (4, width) would load as well, and paint something else
    wrong = torch.cat([told.clip_extra_context_tokens_proj(z).view(2, 4, -1), states[:, 4:]], 1)
    other = unet(noisy, times, wrong, class_labels=added_to_time, attention_mask=mask).sample
    assert (other.chunk(2, 1)[0] - out).abs().max() > 100 * SAME["atol"]
    none = told.learned_classifier_free_guidance_embeddings
    assert torch.equal(made.embedded(z, torch.tensor([True, False])), torch.stack([none, z[1]]))


@pytest.mark.parametrize("family", FAMILIES)
def test_priors_do_as_diffusers(models: Path, family: str) -> None:
    theirs, made = folders.prior(), priors.load(f"{family}-prior")
    assert made.config.clamp == (10 if family == "kandinsky" else 5)  # type: ignore[attr-defined]
    noisy, said, times = drawn(1, 2, D, scale=1.0), words(3), torch.tensor([999, 3])
    expected = theirs(noisy, times, said.embedding, said.states, said.known)
    with torch.no_grad():
        out = made(noisy, times, said)  # type: ignore[operator]
    torch.testing.assert_close(out, expected.predicted_image_embedding, **SAME)
    torch.testing.assert_close(
        made.restored(noisy), theirs.post_process_latents(noisy), **SAME  # type: ignore[attr-defined]
    )  # fmt: skip


def test_karlos_two_upsamplers(models: Path) -> None:
    made = upsamplers.load("karlo-upsampler")
    assert made.last is not None and made.config.scale == 4 and made.config.eta == 1
    noisy, low = drawn(1, 1, 3, 32, 32, scale=1.0), drawn(2, 1, 3, 8, 8, scale=0.5)
    around = F.interpolate(low, (32, 32), mode="bicubic", align_corners=False, antialias=True)
    for one, seed in ((made, 2), (made.last, 3)):
        expected = folders.super_res(seed)(torch.cat([noisy, around], 1), 400).sample
        with torch.no_grad():
            out = one(noisy, low, torch.tensor([400]))
        torch.testing.assert_close(out, expected, **SAME)
    ours = imagining.upsampler_of("karlo-decoder"), imagining.upsampler_of("kandinsky-decoder")
    assert ours[0] == "karlo-upsampler" and ours[1] != "karlo-upsampler"


def test_kandinskys_decoder_does_as_diffusers(models: Path) -> None:
    unet, movq = folders.kandinsky_decoder()
    made = decoders.load("kandinsky-decoder")
    assert made.shape == (4, 8, 8) and made.config.size == 16
    noisy, z, times = drawn(1, 2, 4, 8, 8, scale=1.0), drawn(2, 2, D), torch.tensor([700, 20])
    with torch.no_grad():
        out, share = made(noisy, times, made.embedded(z), words(3))
    told = {"image_embeds": z}
    expected = unet(noisy, times, None, added_cond_kwargs=told).sample.chunk(2, 1)
    torch.testing.assert_close(torch.cat([out, share], 1), torch.cat(expected, 1), **SAME)
    picture = drawn(3, 1, 3, 16, 16, scale=0.5)
    torch.testing.assert_close(made.encoded(picture), movq.encode(picture).latents, **SAME)
    back = movq.decode(noisy, force_not_quantize=True).sample
    torch.testing.assert_close(made.pictures(noisy), back, **SAME)
    # without an embedding there is what the encoder sees in zeros
    state = folders.tower_state(IMAGE, "vision")
    nothing = hf_image(state, {**IMAGE, "hidden_act": "gelu"}, torch.zeros(1, 3, 16, 16))
    none = made.embedded(z, torch.tensor([True, False]))
    torch.testing.assert_close(none[:1], nothing, rtol=2e-3, atol=1e-4)  # it is kept in half
    assert torch.equal(none[1], z[1])


def test_stable_unclips_decoder_does_as_diffusers(models: Path) -> None:
    unet, vae = folders.stable_decoder(STABLE_TEXT["hidden_size"])
    made = decoders.load("stable-decoder")
    assert (made.shape, made.config.prediction, made.config.eta) == ((4, 8, 8), "v", 0.0)
    noisy, z, times = drawn(1, 2, 4, 8, 8, scale=1.0), drawn(2, 2, D), torch.tensor([700, 20])
    said = words(3, STABLE_TEXT["hidden_size"])
    level = torch.tensor([1.0] * (D // 2) + [0.0] * (D // 2)).expand(2, -1)  # cosines, sines of 0
    label = torch.cat([z, level], 1)
    with torch.no_grad():
        out, share = made(noisy, times, made.embedded(z), said)
    assert share is None
    torch.testing.assert_close(out, unet(noisy, times, said.states, label).sample, **SAME)
    none = made.embedded(z, torch.tensor([True, False]))
    assert not none[0].any() and torch.equal(none[1], label[1])
    picture = drawn(3, 1, 3, 16, 16, scale=0.5)
    latents = vae.encode(picture).latent_dist.mean * 0.18215
    torch.testing.assert_close(made.encoded(picture), latents, **SAME)
    back = vae.decode(noisy / 0.18215).sample
    torch.testing.assert_close(made.pictures(noisy), back, rtol=1e-4, atol=1e-4)


# --- towers against transformers' forward, once more ---


def hf_layers(state: dict[str, Tensor], config: dict[str, Any], x: Tensor, kind: str) -> Tensor:
    heads, causal = config["num_attention_heads"], kind == "text"
    for k in range(config["num_hidden_layers"]):
        layer = f"{kind}_model.encoder.layers.{k}"
        y = hf_norm(state, f"{layer}.layer_norm1", x)
        q, k_, v = (
            hf_linear(state, f"{layer}.self_attn.{p}_proj", y).unflatten(2, (heads, -1)).mT.mT
            for p in "qkv"
        )
        scores = torch.einsum("bqhd,bkhd->bhqk", q, k_) / math.sqrt(q.shape[-1])
        if causal:
            ahead = torch.ones(scores.shape[-2:]).triu(1).bool()
            scores = scores.masked_fill(ahead, -torch.inf)
        y = torch.einsum("bhqk,bkhd->bqhd", scores.softmax(-1), v).flatten(2)
        x = x + hf_linear(state, f"{layer}.self_attn.out_proj", y)
        y = hf_linear(state, f"{layer}.mlp.fc1", hf_norm(state, f"{layer}.layer_norm2", x))
        quick = config["hidden_act"] == "quick_gelu"
        y = y * torch.sigmoid(1.702 * y) if quick else F.gelu(y)
        x = x + hf_linear(state, f"{layer}.mlp.fc2", y)
    return x


def hf_norm(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.layer_norm(x, x.shape[-1:], state[f"{name}.weight"], state[f"{name}.bias"], 1e-5)


def hf_linear(state: dict[str, Tensor], name: str, x: Tensor) -> Tensor:
    return F.linear(x, state[f"{name}.weight"], state[f"{name}.bias"])


def hf_text(
    state: dict[str, Tensor], config: dict[str, Any], tokens: Tensor
) -> tuple[Tensor, Tensor]:
    """`last_hidden_state` and what is pooled, at the highest token."""
    root = "text_model.embeddings"
    x = state[f"{root}.token_embedding.weight"][tokens]
    x = hf_layers(state, config, x + state[f"{root}.position_embedding.weight"], "text")
    x = hf_norm(state, "text_model.final_layer_norm", x)
    return x, x[torch.arange(len(x)), tokens.argmax(1)]


def hf_image(state: dict[str, Tensor], config: dict[str, Any], pixels: Tensor) -> Tensor:
    """`image_embeds` of normalised pictures."""
    root = "vision_model.embeddings"
    x = F.conv2d(
        pixels, state[f"{root}.patch_embedding.weight"], stride=config["patch_size"]
    ).flatten(2).mT  # fmt: skip
    first = state[f"{root}.class_embedding"].expand(len(x), 1, -1)
    x = torch.cat([first, x], 1) + state[f"{root}.position_embedding.weight"]
    x = hf_layers(state, config, hf_norm(state, "vision_model.pre_layrnorm", x), "vision")
    x = hf_norm(state, "vision_model.post_layernorm", x[:, 0])
    return F.linear(x, state["visual_projection.weight"])


def reader(name: str) -> Clip:
    return clip.load([name], CPU)[0].clip


@pytest.mark.parametrize(("family", "gelu"), [("karlo", "quick_gelu"), ("kandinsky", "gelu")])
def test_both_towers_do_as_transformers(models: Path, family: str, gelu: str) -> None:
    own = reader(f"{family}-clip").unscaled()
    texts = ["a cat", "two small red apples beside a very large and rather old blue house"]
    tokens = clip.library().get_tokenizer("ViT-L-14", context_length=LENGTH)(texts)
    state, config = folders.tower_state(TEXT, "text"), {**TEXT, "hidden_act": gelu}
    states, pooled = hf_text(state, config, tokens)
    said, expected = own.read(texts), F.linear(pooled, state["text_projection.weight"])
    torch.testing.assert_close(said.states, states, **SAME)
    torch.testing.assert_close(said.embedding, expected, **SAME)
    assert said.known.sum(1).tolist() == [4, LENGTH]
    torch.testing.assert_close(own.encode_text(texts), F.normalize(expected, dim=1), **SAME)
    other = {**config, "hidden_act": "gelu" if gelu == "quick_gelu" else "quick_gelu"}
    assert (hf_text(state, other, tokens)[0] - states).abs().max() > 10 * SAME["atol"]
    picture = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    mean, std = (
        torch.tensor(folders.LOOK[key])[:, None, None] for key in ("image_mean", "image_std")
    )
    image = hf_image(folders.tower_state(IMAGE, "vision"), {**IMAGE, "hidden_act": gelu},
                     (picture - mean) / std)  # fmt: skip
    torch.testing.assert_close(own.see(picture), image, **SAME)
    torch.testing.assert_close(own.encode_image(picture), F.normalize(image, dim=1), **SAME)


def test_each_part_is_tried_in_its_network_when_it_is_added_elsewhere(
    shelf: Path, empty: Path, tmp_path: Path
) -> None:
    seen = set()
    for folder in sorted(p for p in shelf.iterdir() if (p / networks.CONFIG).exists()):
        kind = json.loads((folder / networks.CONFIG).read_text()).get("kind")
        if kind not in ("decoder", "prior", "upsampler"):
            continue
        seen.add(kind)
        store.add(folder, f"again-{folder.name}", None)
        one = load_file(folder / networks.WEIGHTS)
        two = load_file(empty / f"again-{folder.name}" / networks.WEIGHTS)
        assert one.keys() == two.keys() and all(torch.equal(one[k], two[k]) for k in one)
        name, value = next(iter(one.items()))
        broken = shutil.copytree(folder, tmp_path / folder.name)
        for tensors, words in (
            ({**one, name: value.flatten()[:1].reshape(1, 1, 1, 1, 1)}, "has the shape"),
            ({k: v for k, v in one.items() if k != name}, "is missing"),
            ({**one, "more": value.clone()}, "it has no more"),
        ):
            save_file(tensors, broken / networks.WEIGHTS)
            with pytest.raises(LimnerError, match=words):
                store.add(broken, "broken", None)
    assert seen == {"decoder", "prior", "upsampler"}


def test_a_text_tower_of_its_own(models: Path) -> None:
    """Stable unCLIP's: 20 wide, without a projection, with another GELU than the CLIP beside it."""
    tokens = clip.library().get_tokenizer("ViT-L-14", context_length=LENGTH)([PROMPT])
    states, _ = hf_text(folders.tower_state(STABLE_TEXT, "text"), STABLE_TEXT, tokens)
    torch.testing.assert_close(reader("stable-words").read([PROMPT]).states, states, **SAME)
    made = decoders.load("stable-decoder")
    assert (made.config.clip, made.config.reads) == ("stable-clip", "stable-words")


# --- they paint ---


def painted(method: Any, family: str, mask: Tensor | None = None, **asked: Any) -> Any:
    """A state after its last step."""
    usual = {"steps": 2, "decoder": f"{family}-decoder", "enlarge": 2 if family == "karlo" else 0}
    usual |= {"prompt": PROMPT, "prior_steps": 2} if method.name == "imagine" else {"looks": 2}
    named = own_clips(method, usual)
    models = Models(clip.load(named, CPU))
    params = with_recipe(method, models.clips[0].clip.recipe, {**usual, **asked})
    picture = torch.rand(3, 16, 16, generator=torch.Generator().manual_seed(4))
    made = method.setup(params, Inputs((16, 16), picture=picture, mask=mask), models, CPU)
    while (preview := method.step(made, params)).step < preview.total:
        assert preview.image is not None and torch.isfinite(preview.image).all()
    return made


@pytest.mark.parametrize("method", [Imagine(), Variations()], ids=lambda m: m.name)
@pytest.mark.parametrize("family", FAMILIES)
def test_each_family_paints(models: Path, method: Any, family: str) -> None:
    made = painted(method, family)
    side = 32 if family == "karlo" else 16
    assert made.found.get("enlarging", made.found["drawing"]).shape == (1, 3, side, side)
    result = method.result(made)
    assert result.picture is not None and result.picture.shape == (3, 16, 16)
    assert -1 <= result.score <= 1 and result.score != 0
    again = painted(method, family)
    assert torch.equal(method.result(again).picture, result.picture)
    if method.name == "imagine":
        other = painted(method, family, seed=1)
        assert not torch.equal(method.result(other).picture, result.picture)
        assert made.params.guidance == {"karlo": 8, "kandinsky": 4, "stable": 10}[family]
        assert made.params.prior_guidance == 4


@pytest.mark.parametrize("family", ["karlo", "kandinsky"])
def test_into_a_selection(models: Path, family: str) -> None:
    mask = torch.zeros(16, 16)
    mask[:, 8:] = 1
    made = painted(Imagine(), family, mask, resamples=1, enlarge=0)
    image = Imagine().result(made).picture
    assert image is not None
    assert torch.equal(image[:, :, :8], made.patch.canvas[:, :, :8])
    assert not torch.equal(image[:, :, 8:], made.patch.canvas[:, :, 8:])


def test_words_alone_need_no_eyes(published: Path, empty: Path) -> None:
    added(published / "karlo", "k")
    made = painted(Imagine(), "k")
    result = Imagine().result(made)
    assert result.picture is not None and result.score == 0
    with pytest.raises(LimnerError, match="without its image encoder"):
        painted(Variations(), "k")


def test_pictures_alone_need_no_words_of_its_clip(published: Path, empty: Path) -> None:
    """Stable unCLIP without a prior: its decoder has a text tower, its CLIP has none."""
    said = added(published / "stable", "s")
    assert "without its text encoder" in said[2] and "no s-prior yet" in said[3]
    assert Variations().result(painted(Variations(), "s")).picture is not None
    with pytest.raises(LimnerError, match="s-clip came without its text encoder"):
        painted(TextDiff(), "s", prompt=PROMPT)


def test_published_decoders_draw_as_they_were_published(models: Path) -> None:
    """Karlo's and Kandinsky's steps are random, unless a start says all."""
    for family, random in (("karlo", True), ("kandinsky", True), ("stable", False)):
        made, own = decoders.load(f"{family}-decoder"), reader(f"{family}-clip").unscaled()
        said = reader(made.config.reads).read([""])
        told, start = Told(own.see(torch.rand(1, 3, 16, 16)), said, said), drawn(1, 1, *made.shape)
        ends = []
        for seed in (0, 1):
            drawing = Drawing(made, told, seed=seed, steps=2)
            drawing._noisy = start
            led = Drawing(made, told, seed=seed, steps=2, start=start)
            for one in (drawing, led):
                while one.step < one.total:
                    one.advance()
            ends.append((drawing._clean, led._clean))
        assert torch.equal(ends[0][1], ends[1][1])
        assert torch.equal(ends[0][0], ends[1][0]) != random


def test_of_large_parts_one_is_in_memory(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(imagining, "LARGE_BYTES", 0)
    load, loaded = imagining._load, list[tuple[str, weakref.ref[Any]]]()

    def watched(kind: str, name: str, device: torch.device) -> Any:
        assert [name for name, one in loaded if one() is not None] == []
        made = load(kind, name, device)
        loaded.append((name, weakref.ref(made)))
        return made

    monkeypatch.setattr(imagining, "_load", watched)
    painted(Imagine(), "karlo")
    assert [name for name, _ in loaded] == ["karlo-prior", "karlo-decoder", "karlo-upsampler"]
    imagining._large.clear()
    assert all(one() is None for _, one in loaded)


def test_the_variations_come_without_a_prior(published: Path, empty: Path) -> None:
    said = added(published / "karlo-variations", "v")
    assert "no v-prior yet" in said[-1]
    with pytest.raises(LimnerError, match="no diffusion prior for what v-clip sees"):
        painted(Imagine(), "v")
