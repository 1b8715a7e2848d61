"""unCLIP's upsamplers: names, size, steps, and what is left of them between two steps."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from diffusers.models.unets.unet_2d import UNet2DModel
from diffusers.schedulers.scheduling_ddpm import DDPMScheduler
from PIL import Image
from torch import Tensor, nn

from limner.models import networks
from limner.models.loading import read_weights
from limner.models.unclip.upsampler import (
    KARLO,
    KARLO_STEPS,
    Config,
    Sampling,
    Upsampler,
    blank,
    load,
)
from limner_wire.errors import ErrorCode, LimnerError

SMALL = Config((16, 24), groups=4)
AS_KARLO = Config((8, 16), 2, 4, patch=1, prediction="epsilon", eta=1.0)
CPU = torch.device("cpu")


def chance(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def learned(config: Config, seed: int = 0) -> Upsampler:
    """An upsampler that has learned something or other."""
    torch.manual_seed(seed)
    network = blank(config)
    nn.init.normal_(network.get_submodule("conv_out").get_parameter("weight"), std=0.05)
    return Upsampler(config, network.requires_grad_(False))


def lows(side: int, count: int = 1) -> Tensor:
    return torch.rand(count, 3, side, side, generator=chance(side)) * 2 - 1


def sampled(sampling: Sampling) -> Tensor:
    while sampling.step < sampling.total:
        sampling.advance()
    return sampling.picture()


# --- what it is built from ---


def test_karlos_names_and_size() -> None:
    """What diffusers' conversion makes of Karlo's super_res_first and super_res_last
    (scripts/convert_kakao_brain_unclip_to_diffusers.py)."""
    with torch.device("meta"):
        ours = blank(KARLO)
        theirs = UNet2DModel(
            sample_size=256, layers_per_block=3, block_out_channels=(320, 640, 960, 1280),
            down_block_types=("ResnetDownsampleBlock2D",) * 4,
            up_block_types=("ResnetUpsampleBlock2D",) * 4,
            in_channels=6, out_channels=3, add_attention=False,
        )  # fmt: skip
    shapes = {name: value.shape for name, value in ours.state_dict().items()}
    assert shapes == {name: value.shape for name, value in theirs.state_dict().items()}
    assert sum(shape.numel() for shape in shapes.values()) == 691_579_523


def test_a_folder_of_it_is_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LIMNER_MODELS", str(tmp_path))
    made = learned(SMALL)
    state = made.network.state_dict()
    networks.leave(tmp_path / "mine", "upsampler", SMALL.to_json(), state, {})
    assert set(read_weights(tmp_path / "mine" / networks.WEIGHTS)) == set(state)
    found = load("mine")
    assert found.config == SMALL
    for name, value in found.network.state_dict().items():
        assert torch.equal(value, state[name].half().float()), name
    with pytest.raises(LimnerError, match="no upsampler 'yours'"):
        load("yours", CPU)


@pytest.mark.parametrize(
    "wrong",
    [{"widths": []}, {"widths": [16, "24"]}, {"widths": [16, 23]}, {"widths": [9000]},
     {"groups": 0}, {"patch": True}, {"scale": 9}, {"prediction": "noise"}, {"schedule": None},
     {"eta": 1.5}, {"eta": float("nan")}, {"eta": None}],
)  # fmt: skip
def test_a_config_out_of_bounds_is_refused(wrong: dict[str, object]) -> None:
    told = {**SMALL.to_json(), "widths": list(SMALL.widths)}
    assert Config.from_json(told) == SMALL
    with pytest.raises(LimnerError) as caught:
        Config.from_json({**told, **wrong})
    assert caught.value.code == ErrorCode.UNREADABLE


# --- what it makes ---


def test_it_begins_as_bicubic_interpolation() -> None:
    low = lows(8)
    rows = [
        np.asarray(Image.fromarray(row.numpy()).resize((32, 32), Image.Resampling.BICUBIC))
        for row in low[0]
    ]
    unlearned = Upsampler(SMALL)
    with torch.no_grad():
        out = unlearned(torch.randn(1, 3, 32, 32, generator=chance(0)), low, torch.tensor([500]))
    assert torch.equal(out, unlearned.enlarged(low))
    # both are single precision, of values of about 1
    torch.testing.assert_close(out[0], torch.from_numpy(np.stack(rows)), rtol=0, atol=1e-5)


def test_what_it_cannot_work_on_is_refused() -> None:
    upsampler = learned(SMALL)
    for low, steps in ((lows(7), 4), (lows(8), 0), (lows(8), 1001)):
        with pytest.raises(LimnerError) as caught:
            Sampling(upsampler, low, steps, 0)
        assert caught.value.code == ErrorCode.BAD_INPUT


def test_it_works_on_a_whole_picture_as_on_a_crop(monkeypatch: pytest.MonkeyPatch) -> None:
    """All layers but the group norms look near by alone: with those out of the way, the middle of
    a crop comes out as in the whole picture."""
    upsampler, low = learned(Config((16, 24), groups=4, patch=2)), lows(64)
    noisy = torch.randn(1, 3, 256, 256, generator=chance(1))
    assert upsampler.guess(noisy, low, 300).shape == (1, 3, 256, 256)
    monkeypatch.setattr(nn.GroupNorm, "forward", lambda self, x: x)
    crop, inside = slice(64, 224), slice(140, 148)  # 34 pixels of its grid away: no layer looks on
    whole = upsampler.guess(noisy, low, 300)[:, :, inside, inside]
    part = upsampler.guess(noisy[:, :, crop, crop], low[:, :, 16:56, 16:56], 300)
    # another order of sums in single precision
    torch.testing.assert_close(part[:, :, 76:84, 76:84], whole, rtol=0, atol=1e-5)
    far = noisy.clone()
    far[:, :, :, 224:] += 1.0
    assert torch.equal(upsampler.guess(far, low, 300)[:, :, inside, inside], whole)


# --- step by step ---


def test_it_steps_as_karlo_does() -> None:
    """Seven ancestral steps, the last by the second network, against diffusers' DDPM."""
    first, last, low = learned(AS_KARLO, 1), learned(AS_KARLO, 2), lows(4, 2)
    sampling = Sampling(first, low, KARLO_STEPS, seed=3, last=last)
    theirs = DDPMScheduler(
        beta_schedule="squaredcos_cap_v2", variance_type="fixed_small_log",
        timestep_spacing="linspace",
    )  # fmt: skip
    theirs.set_timesteps(KARLO_STEPS)
    noise = [chance(3 * 1_000_003 + step) for step in range(KARLO_STEPS)]
    x = torch.randn(2, 3, 16, 16, generator=noise[0])
    for k, time in enumerate(theirs.timesteps):
        network = (first if k < KARLO_STEPS - 1 else last).network
        out = network(torch.cat([x, first.enlarged(low)], 1), time).sample
        draw = noise[k + 1] if k < KARLO_STEPS - 1 else None
        stepped = theirs.step(out, int(time), x, generator=draw)
        x = stepped.prev_sample
        sampling.advance()
        # its tables are in single precision: 5e-4 at the last step, which our schedule has not
        torch.testing.assert_close(
            sampling.picture(), stepped.pred_original_sample, rtol=0, atol=2e-3
        )
    assert sampling.step == sampling.total
    torch.testing.assert_close(sampling.picture(), x, rtol=0, atol=2e-3)


@pytest.mark.parametrize("steps", [1, 2, 9])
def test_who_knows_the_answer_gets_there(steps: int, monkeypatch: pytest.MonkeyPatch) -> None:
    answer = lows(32)
    monkeypatch.setattr(Upsampler, "guess", lambda self, noisy, low, time: answer)
    assert torch.equal(sampled(Sampling(learned(SMALL), lows(8), steps, 0)), answer)


@pytest.mark.parametrize("config", [SMALL, AS_KARLO], ids=["ddim", "ancestral"])
def test_it_goes_on_bit_for_bit(config: Config) -> None:
    upsampler, low = learned(config), lows(8, 2)
    whole = Sampling(upsampler, low, 5, seed=7)
    assert torch.equal(whole.picture(), upsampler.enlarged(low).clamp(-1, 1))
    whole.advance(), whole.advance()
    saved, seen = whole.save(), whole.picture()
    done = sampled(whole)
    again = Sampling(upsampler, low, 5, seed=7)
    again.restore(saved)
    assert again.step == 2 and torch.equal(again.picture(), seen)
    assert torch.equal(sampled(again), done)
    assert done.abs().max() <= 1 and not torch.equal(done, seen)
    assert not torch.equal(sampled(Sampling(upsampler, low, 5, seed=8)), done)
