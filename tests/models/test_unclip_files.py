"""Published unCLIPs from folders in their real format: what becomes of them, what is refused and in
which words, and how they are fetched."""

from __future__ import annotations

import io
import json
import shutil
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import unclip_folders as folders
from hub_server import Hub, files_of, pulled, serving
from safetensors.torch import load_file, save_file
from torch import Tensor
from unclip_folders import D, added, card

from limner.cli.app import run as command
from limner.models import catalog, clip, loading, networks
from limner.models.pipelines import fetching
from limner_wire.errors import ErrorCode, LimnerError

CPU = torch.device("cpu")
SAME = {"rtol": 0.0, "atol": 1e-5}  # sums in another order, in single precision
PROMPT = "a red apple"
FAMILIES = ("karlo", "kandinsky", "stable")

# --- what becomes of them ---


def test_karlo_becomes_four_models(published: Path, empty: Path) -> None:
    said = added(published / "karlo", "k")
    assert {n.name: n.kind for n in networks.installed() if n.name.startswith("k-")} == {
        "k-prior": "prior", "k-decoder": "decoder", "k-upsampler": "upsampler",
    }  # fmt: skip
    assert "k-clip: what unCLIP paints from (without its image encoder" in said[3]
    assert card("k-decoder")["licence"] == "creativeml-openrail-m"
    assert card("k-decoder")["parts"] == ["text_proj", "decoder"]
    assert card("k-upsampler")["added"] == "karlo"
    weights = load_file(empty / "k-prior" / "model.safetensors")
    assert {value.dtype for value in weights.values()} == {torch.float16}
    assert catalog.find(None).name == "starter", "it is not for drawing with strokes"


def test_a_second_folder_adds_what_it_has(published: Path, empty: Path) -> None:
    added(published / "karlo", "k")
    blind = clip.load(["k-clip"], CPU)[0].clip
    assert blind.encode_text(["a cat"]).shape == (1, D)
    with pytest.raises(LimnerError, match=r"without its image encoder.*--name k"):
        blind.see(torch.zeros(1, 3, 16, 16))
    before = {name: (empty / name).stat().st_mtime_ns for name in ("k-prior", "k-decoder")}
    assert added(published / "karlo-variations", "k") == ["k-clip: what unCLIP paints from"]
    assert before == {name: (empty / name).stat().st_mtime_ns for name in before}
    whole = clip.load(["k-clip"], CPU)[0].clip
    assert whole.see(torch.rand(1, 3, 16, 16)).shape == (1, D)
    assert torch.equal(whole.encode_text(["a cat"]), blind.encode_text(["a cat"]))
    assert card("k-clip")["parts"] == ["text_encoder", "image_encoder"]
    assert card("k-clip")["licence"] == "creativeml-openrail-m / unknown: see where you got it"
    assert "here already" in added(published / "karlo", "k")[0]
    assert not [p for p in empty.iterdir() if p.name.startswith(".")]


def test_a_decoder_that_needs_an_encoder_says_so(published: Path, empty: Path) -> None:
    with pytest.raises(LimnerError, match=r"First add the folder with the prior.*--name kd"):
        added(published / "kandinsky-decoder", "kd")
    assert not empty.exists()


def test_a_name_stands_for_one_pipeline(published: Path, empty: Path, tmp_path: Path) -> None:
    added(published / "karlo", "k")
    with pytest.raises(LimnerError, match="belongs to another CLIP: its quick_gelu is False"):
        added(published / "kandinsky-prior", "k")
    other = copied(published / "karlo", tmp_path / "again")
    config(other / "prior_scheduler", "scheduler_config.json", clip_sample_range=10.0)
    with pytest.raises(LimnerError, match="'k-prior' already, and it is another"):
        added(other, "k")
    other = copied(published / "karlo-variations", tmp_path / "other")
    config(other / "image_encoder", projection_dim=8)
    with pytest.raises(LimnerError, match="belongs to another CLIP: its embed_dim is 8"):
        added(other, "k")
    with pytest.raises(LimnerError, match="can't be a model's name"):
        added(published / "stable", "../up")


@pytest.mark.parametrize("how", ["sharded", "fp16", "fp16 shards", "both"])
def test_shards_and_variants(published: Path, empty: Path, tmp_path: Path, how: str) -> None:
    path = copied(published / "karlo", tmp_path / "k")
    made, place = folders.prior(), path / "prior"
    (place / "diffusion_pytorch_model.safetensors").unlink()
    settings: dict[str, Any] = {"max_shard_size": "8KB"} if "shard" in how else {}
    if how == "both":
        made.save_pretrained(place)
        made = folders.prior(seed=9)
    if "fp16" in how or how == "both":
        made, settings = made.half(), settings | {"variant": "fp16"}
    made.save_pretrained(place, **settings)
    assert (len(list(place.glob("*.safetensors"))) > 2) == ("shard" in how)
    added(path, "k")
    expected = folders.prior().state_dict()["proj_in.weight"]
    assert torch.equal(
        load_file(empty / "k-prior" / "model.safetensors")["proj_in.weight"], expected.half()
    )


def test_memory_never_holds_more_than_a_tensor(
    published: Path, empty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, alive, most = loading.Tensors.__getitem__, list[weakref.ref[Tensor]](), 0

    def watched(self: loading.Tensors, name: str) -> Tensor:
        nonlocal most
        out = read(self, name)
        alive.append(weakref.ref(out))
        most = max(most, sum(one() is not None for one in alive))
        return out

    monkeypatch.setattr(loading.Tensors, "__getitem__", watched)
    added(published / "karlo", "k")
    assert len(alive) > 300
    assert most <= 4, "queries, keys and values, and the one before"


# --- what is refused ---


def copied(path: Path, to: Path) -> Path:
    shutil.copytree(path, to)
    return to


def config(part: Path, file: str = "config.json", **changes: Any) -> None:
    """Change a part's config; None takes a key out."""
    content = json.loads((part / file).read_text()) | changes
    (part / file).write_text(json.dumps({k: v for k, v in content.items() if v is not None}))


def state(part: Path, change: Callable[[dict[str, Tensor]], object]) -> None:
    (file,) = part.glob("*.safetensors")
    tensors = load_file(file)
    change(tensors)
    save_file(tensors, file)


def dropped(part: Path, *ends: str) -> None:
    def drop(tensors: dict[str, Tensor]) -> None:
        for name in [n for n in tensors if n.endswith(ends)]:
            del tensors[name]

    state(part, drop)


def pickled(part: Path) -> None:
    (file,) = part.glob("*.safetensors")
    torch.save(load_file(file), part / "diffusion_pytorch_model.bin")
    file.unlink()


def cut(part: Path, share: float) -> None:
    (file,) = part.glob("*.safetensors")
    file.write_bytes(file.read_bytes()[: int(file.stat().st_size * share)])


def nested(part: Path) -> None:
    (part / "config.json").write_text('{"a":' * 100_000 + "1" + "}" * 100_000)


def index(folder: Path, **changes: Any) -> None:
    config(folder, "model_index.json", **changes)


WIDE = [8192] * 8
KARLO_WRONGS: dict[str, tuple[Callable[[Path], object], str]] = {
    "one is missing": (lambda p: dropped(p / "decoder", "conv_in.weight"),
                       "decoder/ does not hold.*missing: conv_in.weight"),
    "many are missing": (lambda p: dropped(p / "prior", ".weight"), "missing: .* and [0-9]+ more"),
    "one too many": (lambda p: state(p / "text_proj", lambda t: t.update(x=torch.ones(2))),
                     "text_proj/ .*not part of it: x"),
    "another shape": (lambda p: state(p / "super_res_last", lambda t: t.update(
        {"conv_in.bias": torch.ones(3)})), r"super_res_last/ .*conv_in.bias \(it is \(3,\), not"),
    "not finite": (lambda p: state(p / "prior", lambda t: t["prd_embedding"].fill_(torch.nan)),
                   "prd_embedding has numbers that are not finite"),
    "too large for half": (lambda p: state(p / "prior", lambda t: t["prd_embedding"].fill_(1e6)),
                           "not finite, or too large"),
    "a tower's part": (lambda p: dropped(p / "text_encoder", "1.self_attn.q_proj.bias"),
                       "text_encoder/ .*missing: text_model.encoder.layers.1.self_attn.q_proj.b"),
    "a pickle": (lambda p: pickled(p / "super_res_first"),
                 "super_res_first/ has no safetensors, only .*bin: .*save_file"),
    "no weights": (lambda p: next((p / "prior").glob("*.safetensors")).unlink(), "no weights in"),
    "cut off": (lambda p: cut(p / "decoder", 0.9), "decoder/.*is damaged"),
    "cut off early": (lambda p: cut(p / "decoder", 0.001), "is no safetensors file"),
    "no folder": (lambda p: shutil.rmtree(p / "text_proj"), "has no text_proj/config.json"),
    "no scheduler": (lambda p: shutil.rmtree(p / "decoder_scheduler"), "has no decoder_scheduler/"),
    "not named": (lambda p: index(p, text_proj=None), "has no text_proj/"),
    "another pipeline": (lambda p: index(p, _class_name="StableDiffusionPipeline"),
                         "is a StableDiffusionPipeline, with which Limner does not paint.*UnCLIP"),
    "another class": (lambda p: index(p, prior=["diffusers", "UNet2DModel"]),
                      "Its prior/ is a UNet2DModel, and not a PriorTransformer"),
    "another class within": (lambda p: config(p / "decoder", _class_name="UNet3D"), "is a UNet3D"),
    "code of its own": (lambda p: index(p, prior=["my_pipeline", "PriorTransformer"]),
                        "asks for code that comes with it, as its prior"),
    "code for a part": (lambda p: config(p / "text_encoder", auto_map={"AutoModel": "m.M"}),
                        "text_encoder/config.json has 'auto_map'"),
    "a promise to trust": (lambda p: index(p, trust_remote_code=True), "'trust_remote_code'"),
    "a wide lie": (lambda p: config(p / "decoder", block_out_channels=WIDE, layers_per_block=16,
                                    down_block_types=["SimpleCrossAttnDownBlock2D"] * 8,
                                    up_block_types=["SimpleCrossAttnUpBlock2D"] * 8),
                   "another shape|missing"),
    "a deep lie": (lambda p: config(p / "prior", num_layers=100), "missing: .* and [0-9]+ more"),
    "a lie beyond bounds": (lambda p: config(p / "prior", num_attention_heads=10**9), "heads"),
    "no number": (lambda p: config(p / "decoder", block_out_channels="wide"), "incomplete"),
    "groups that divide nothing": (lambda p: config(p / "decoder", norm_num_groups=7),
                                   "no network of what decoder/config.json says"),
    "another activation": (lambda p: config(p / "decoder", act_fn="mish"),
                           "decoder/ says mish for its act_fn, and Limner reads only silu"),
    "an option of tomorrow": (lambda p: config(p / "prior", gates="all"), "says all for its gates"),
    "another GELU": (lambda p: config(p / "text_encoder", hidden_act="relu"), "has relu between"),
    "another vocabulary": (lambda p: config(p / "text_encoder", vocab_size=1000), "vocabulary"),
    "another noise": (lambda p: config(p / "decoder_scheduler", "scheduler_config.json",
                                       num_train_timesteps=500), "says 500 for its num_train_time"),
    "another target": (lambda p: config(p / "prior_scheduler", "scheduler_config.json",
                                        prediction_type="epsilon"), "prediction_type"),
    "another CLIP's words": (lambda p: config(p / "text_encoder", hidden_size=8),
                             "not of one CLIP: .*the states of text_encoder/ 8"),
    "longer texts": (lambda p: config(p / "text_encoder", max_position_embeddings=20),
                     "prior/ says 11 for its num_embeddings"),
    "another CLIP's prior": (lambda p: config(p / "prior", embedding_dim=8),
                             "not of one CLIP: .*prior/ 8, text_proj/ 16"),
    "nested JSON": (lambda p: nested(p / "prior"), "can't be read"),
}  # fmt: skip


@pytest.mark.parametrize("what", KARLO_WRONGS)
def test_what_is_not_as_it_should_be_is_refused(
    published: Path, empty: Path, tmp_path: Path, what: str
) -> None:
    change, said = KARLO_WRONGS[what]
    path = copied(published / "karlo", tmp_path / "k")
    change(path)
    with pytest.raises(LimnerError, match=said) as caught:
        added(path, "k")
    assert caught.value.code is not ErrorCode.INTERNAL and "\n" not in str(caught.value)
    left = {p.name for p in empty.iterdir()} if empty.exists() else set()
    assert "k-prior" not in left or "finite" not in said
    assert not any(name.startswith(".") for name in left), "whole or not at all"


def test_a_shard_that_is_missing_or_elsewhere(published: Path, empty: Path, tmp_path: Path) -> None:
    path = copied(published / "karlo", tmp_path / "k")
    place = path / "prior"
    (place / "diffusion_pytorch_model.safetensors").unlink()
    folders.prior().save_pretrained(place, max_shard_size="8KB")
    listed = place / "diffusion_pytorch_model.safetensors.index.json"
    shards = sorted(place.glob("*.safetensors"))
    shards[-1].unlink()
    with pytest.raises(LimnerError, match=f"lacks 1 of {len(shards)} shards: {shards[-1].name}"):
        added(path, "k")
    told = json.loads(listed.read_text())
    told["weight_map"]["proj_in.weight"] = "../../secret.safetensors"
    listed.write_text(json.dumps(told))
    with pytest.raises(LimnerError, match="lists no shards"):
        added(path, "k")


def test_the_command_says_what_it_did(
    published: Path, empty: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["models", "add", str(published / "karlo"), "--name", "k"]) == 0
    out = capsys.readouterr()
    assert "k-upsampler: to 4 times the size" in out.err and str(empty / "k-prior") in out.out
    assert command(["models", "list", "--json"]) == 0
    rows = {row["name"]: row for row in json.loads(capsys.readouterr().out)}
    assert rows["k-decoder"]["here"] and not rows["karlo"]["here"]
    assert rows["karlo"]["licence"] == "CreativeML OpenRAIL-M"


# --- from the hub ---


def test_nothing_is_fetched_before_it_is_agreed_to(
    empty: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Only the parts that are read, only safetensors, in half precision if there are such."""
    full = {f"{part}/{name}": 4_000_000 for part in
            ("prior", "decoder", "text_proj", "text_encoder", "super_res_first", "super_res_last",
             "image_encoder", "safety_checker")
            for name in ("config.json", "diffusion_pytorch_model.bin",
                         "diffusion_pytorch_model.safetensors",
                         "diffusion_pytorch_model.fp16.safetensors")}  # fmt: skip
    small = {f"{part}/scheduler_config.json": 1 for part in
             ("prior_scheduler", "decoder_scheduler", "super_res_scheduler")}  # fmt: skip
    looks = {"feature_extractor/preprocessor_config.json": 1, "model_index.json": 1}
    monkeypatch.setattr(fetching, "listing", lambda repository: full | small | looks)

    def fetched(repository: str, name: str) -> Path:
        raise AssertionError("it was fetched")

    monkeypatch.setattr(fetching, "fetched", fetched)
    monkeypatch.setattr("sys.stdin", io.StringIO())
    assert command(["models", "pull", "karlo"]) == 130
    told = capsys.readouterr().err
    assert "licence CreativeML OpenRAIL-M, from kakaobrain/karlo-v1-alpha" in told
    assert "0.1 GB are fetched" in told
    (karlo,) = [p for p in catalog.PIPELINES if p.name == "karlo"]
    needed = fetching.needed(karlo)
    names = [name for files in needed.values() for name in files]
    assert not [n for n in names if n.endswith(".bin") or "safety" in n]
    weights = [n for n in names if n.endswith(".safetensors")]
    assert len(weights) == 7 and all(".fp16." in name for name in weights)
    monkeypatch.setattr(fetching, "listing", lambda repository: {
        name: 1 for name in full | small | looks if "safetensors" not in name})  # fmt: skip
    assert command(["models", "pull", "karlo"]) == 2
    assert "prior/ is published as a pickle alone" in capsys.readouterr().err


def test_karlo_is_fetched_when_asked_for(published: Path, empty: Path, tmp_path: Path) -> None:
    """Over HTTP, from the two repositories of the catalogue, by the hub's own client."""
    (karlo,) = [p for p in catalog.PIPELINES if p.name == "karlo"]
    first, second = karlo.repositories
    files = {first: files_of(published / "karlo"), second: files_of(published / "karlo-variations")}
    files[first]["prior/diffusion_pytorch_model.bin"] = b"a pickle"
    with serving(files) as endpoint:
        done = pulled("karlo", endpoint, tmp_path / "hf", answer="y\n")
    assert done.returncode == 0, done.stderr
    assert "CreativeML OpenRAIL-M" in done.stderr and "Fetch it under that licence?" in done.stderr
    assert done.stdout.split() == [str(empty / "karlo-prior"), str(empty / "karlo-clip")]
    assert not [name for name in Hub.asked if name.endswith(".bin") or "tokenizer" in name]
    assert card("karlo-prior")["repository"] == first
    assert card("karlo-clip")["parts"] == ["text_encoder", "image_encoder"]
    assert "lacks" not in card("karlo-clip")


def test_an_autoencoders_old_names(published: Path, empty: Path, tmp_path: Path) -> None:
    """As Stable Diffusion's was published: attention before diffusers 0.15."""
    path = copied(published / "stable", tmp_path / "s")
    file = path / "vae" / "diffusion_pytorch_model.safetensors"
    old = {".to_q.": ".query.", ".to_k.": ".key.", ".to_v.": ".value.", ".to_out.0.": ".proj_attn."}
    state = {}
    for name, value in load_file(file).items():
        new = next((n for n in old if "attentions" in name and n in name), None)
        state[name if new is None else name.replace(new, old[new])] = value
    save_file(state, file)
    added(path, "old")
    added(published / "stable", "new")
    files = [empty / f"{name}-decoder" / "model.safetensors" for name in ("old", "new")]
    assert files[0].read_bytes() == files[1].read_bytes()
