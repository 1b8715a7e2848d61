"""The StyleGAN2 generator: against a plain reference, by hand, and by finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import stylegan2_reference as reference
import torch
import torch.nn.functional as F
from torch import Tensor

from limner.models.stylegan2 import Config, Discriminator, Generator, mix, ops
from limner_wire.errors import ErrorCode, LimnerError

TOLERANCE = 1e-4  # float32 against float64, through 7 to 11 convolutions of unit gain


def generator(size: int = 16, *, seed: int = 0, **rest: object) -> Generator:
    """A small one whose numbers are all of some size, as trained ones are."""
    torch.manual_seed(seed)
    widths = tuple([7, 6, 5, 4, 3][: int(math.log2(size)) - 1])
    options = {"z_dim": 9, "w_dim": 8, "mapping_layers": 3} | rest
    made = Generator(Config(size, widths, **options))  # type: ignore[arg-type]
    with torch.no_grad():
        for name, value in made.named_parameters():
            if name.endswith(("bias", "noise_strength")):
                value += 0.3 * torch.randn_like(value) / (0.01 if "mapping" in name else 1)
        made.w_avg.normal_()
    return made.eval().requires_grad_(False)


def w_plus(g: Generator, batch: int = 2, seed: int = 1) -> Tensor:
    random = torch.Generator().manual_seed(seed)
    return torch.randn(batch, g.config.latents, g.config.w_dim, generator=random)


def plain(g: Generator, w: Tensor, *, noise: bool = True) -> Tensor:
    """What the reference makes of W+, (B, L, w_dim)."""
    state = {k: v.double().numpy() for k, v in g.state_dict().items()}

    def layer(name: str) -> reference.Layer:
        own = {k.removeprefix(f"blocks.{name}."): v for k, v in state.items()}
        return reference.Layer(
            own["weight"], own["bias"], own["style.weight"], own["style.bias"],
            own.get("noise"), float(own.get("noise_strength", np.zeros(()))),
        )  # fmt: skip

    def one(vectors: np.ndarray) -> np.ndarray:
        return reference.rendered(
            g.config.size, state["constant"], layer,
            lambda latent, learned: reference.styled(learned, vectors[latent]),
            noise=noise, clamp=g.config.conv_clamp or np.inf,
        )  # fmt: skip

    return torch.tensor(np.stack([one(v) for v in w.double().numpy()]))


@pytest.mark.parametrize("size", [8, 16, 64])
@pytest.mark.parametrize("batch", [1, 3])
def test_pictures_are_those_of_the_plain_reference(size: int, batch: int) -> None:
    g = generator(size)
    w = w_plus(g, batch)
    torch.testing.assert_close(g(w).double(), plain(g, w), atol=TOLERANCE, rtol=0)
    quiet = g(w, noise="none").double()
    torch.testing.assert_close(quiet, plain(g, w, noise=False), atol=TOLERANCE, rtol=0)
    assert float((g(w) - quiet).abs().max()) > 0.01


def test_a_clamped_generator_is_that_of_the_plain_reference() -> None:
    g = generator(16, conv_clamp=0.8)
    w = w_plus(g)
    assert float((plain(g, w) - plain(generator(16), w)).abs().max()) > 0.1
    torch.testing.assert_close(g(w).double(), plain(g, w), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize("c_dim", [0, 4])
def test_the_mapping_is_that_of_the_plain_reference(c_dim: int) -> None:
    g = generator(8, c_dim=c_dim)
    random = torch.Generator().manual_seed(3)
    z, c = torch.randn(2, 9, generator=random), torch.randn(2, 4, generator=random)
    state = {k: v.double().numpy() for k, v in g.mapping.state_dict().items()}
    layers = [(state[f"layers.{k}.weight"], state[f"layers.{k}.bias"]) for k in range(3)]
    for k in range(2):
        start = reference.normalized(z[k].double().numpy())
        if c_dim:
            label = state["embed.weight"] @ c[k].double().numpy() / 2 + state["embed.bias"]
            start = np.concatenate([start, reference.normalized(label)])
        expected = torch.tensor(reference.mapped(start, layers))
        got = g.map(z, c if c_dim else None)[k]
        assert got.shape == (g.config.latents, 8)
        torch.testing.assert_close(got[-1].double(), expected, atol=1e-5, rtol=0)


def test_a_label_that_is_needed_is_asked_for() -> None:
    with pytest.raises(LimnerError, match="a label of 4 numbers"):
        generator(8, c_dim=4).map(torch.randn(1, 9))


def test_a_modulated_convolution_by_hand() -> None:
    """1x1 kernels: outputs 3 s1 x1 + 4 s2 x2 and s1 x1, over the length of what modulates them."""
    x = torch.tensor([[[[1.0, 2.0]], [[10.0, 20.0]]]])
    weight = torch.tensor([[3.0, 4.0], [1.0, 0.0]])[:, :, None, None]
    style = torch.tensor([[2.0, 0.5]])  # the modulated weights are (6, 2) and (2, 0)
    expected = torch.tensor([[6 * 1 + 2 * 10, 6 * 2 + 2 * 20], [2.0, 4.0]])
    lengths = torch.tensor([40**0.5, 2.0])
    for batch in (1, 2):
        got = ops.modulated_conv2d(x.repeat(batch, 1, 1, 1), weight, style.repeat(batch, 1))
        torch.testing.assert_close(got[-1, :, 0], expected / lengths[:, None])
        raw = ops.modulated_conv2d(x.repeat(batch, 1, 1, 1), weight, style.repeat(batch, 1), 0.5)
        torch.testing.assert_close(raw[-1, :, 0], expected / 2)


def grouped(x: Tensor, weight: Tensor, style: Tensor) -> Tensor:
    """The other way to compute it: every picture's own weights, as one grouped convolution."""
    batch, inputs, height, width = x.shape
    own = weight * style[:, None, :, None, None]
    own = own / (own.square().sum((2, 3, 4), keepdim=True) + 1e-8).sqrt()
    flat = x.reshape(1, batch * inputs, height, width)
    out = F.conv2d(flat, own.flatten(0, 1), padding=1, groups=batch)
    return out.view(batch, -1, height, width)


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("trained", [False, True])
@pytest.mark.parametrize("width", [4, 70])
def test_scaled_features_scaled_weights_and_a_grouped_convolution_are_alike(
    width: int, trained: bool, batch: int
) -> None:
    """All ways that `modulated_conv2d` may take, each with its derivatives."""
    random = torch.Generator().manual_seed(0)
    x = torch.randn(batch, width, 9, 9, generator=random).requires_grad_()
    weight = torch.randn(width, width, 3, 3, generator=random).requires_grad_(trained)
    style = torch.randn(batch, width, generator=random).requires_grad_()
    inputs = [x, style, *([weight] if trained else [])]
    got, expected = ops.modulated_conv2d(x, weight, style), grouped(x, weight, style)
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=0)
    ones = torch.autograd.grad(got.square().mean(), inputs)
    others = torch.autograd.grad(expected.square().mean(), inputs)
    torch.testing.assert_close(ones, others, atol=1e-5, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(ops.modulated_conv2d(x, weight, style), expected, atol=1e-5,
                                   rtol=0)  # fmt: skip


def slow_upfirdn(x: Tensor, kernel: Tensor, up: int, down: int, pad: tuple[int, int]) -> Tensor:
    zeros = x.new_zeros(*x.shape[:2], x.shape[2] * up, x.shape[3] * up)
    zeros[:, :, ::up, ::up] = x
    wide = F.pad(zeros, (*pad, *pad))
    taps = len(kernel)
    windows = wide.unfold(2, taps, 1).unfold(3, taps, 1)
    return (windows * kernel.flip(0, 1)).sum((-1, -2))[:, :, ::down, ::down]


@pytest.mark.parametrize("up", [1, 2, 3])
@pytest.mark.parametrize("down", [1, 2])
@pytest.mark.parametrize("pad", [(0, 0), (2, 1), (1, 1), (-1, 2)])
@pytest.mark.parametrize("taps", [2, 3, 4])
def test_upfirdn_is_insert_pad_convolve_keep(
    up: int, down: int, pad: tuple[int, int], taps: int
) -> None:
    random = torch.Generator().manual_seed(up + down)
    x, kernel = (torch.randn(*s, generator=random) for s in ((2, 3, 6, 7), (taps, taps)))
    got = ops.upfirdn2d(x, kernel, up, down, pad)
    torch.testing.assert_close(got, slow_upfirdn(x, kernel, up, down, pad), atol=1e-5, rtol=0)


def test_the_special_cases_are_upfirdn() -> None:
    x = torch.randn(2, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    taps = torch.outer(*[torch.tensor([1.0, 3, 3, 1])] * 2) / 64
    torch.testing.assert_close(ops.upsample(x), slow_upfirdn(x, 4 * taps, 2, 1, (2, 1)))
    torch.testing.assert_close(ops.downsample(x), slow_upfirdn(x, taps, 1, 2, (1, 1)))


def test_bias_act_by_hand() -> None:
    x = torch.tensor([[1.0, -3.0]])
    out = ops.bias_act_(x.clone(), torch.tensor([1.0, 1.0]))
    torch.testing.assert_close(out, 2**0.5 * torch.tensor([[2.0, -0.4]]))
    noisy = ops.bias_act_(x, torch.zeros(2), noise=torch.tensor([[0.0, 4.0]]), clamp=1.41)
    torch.testing.assert_close(noisy, torch.tensor([[1.41, 1.41]]))


# --- spaces ---------------------------------------------------------------------------------------


def test_rendering_from_style_space_is_rendering_from_w_plus() -> None:
    g = generator(32)
    w = w_plus(g)
    styles = g.styles(w)
    assert [tuple(s.shape) for s in styles] == [(2, p.channels) for p in g.config.style_layers]
    torch.testing.assert_close(g.render(styles), g(w), atol=1e-5, rtol=0)
    shared = [s[:1] if k % 2 else s for k, s in enumerate(g.styles(w[:1].expand(2, -1, -1)))]
    torch.testing.assert_close(g.render(shared)[1:], g(w[:1]), atol=1e-5, rtol=0)


def test_the_layout_of_style_space_is_the_published_one() -> None:
    """26 entries at 1024 pixels, of which these are no colours, and 9088 numbers (StyleCLIP)."""
    layers = Config.of(1024).style_layers
    assert [k for k, layer in enumerate(layers) if not layer.is_rgb] == [
        0, 2, 3, 5, 6, 8, 9, 11, 12, 14, 15, 17, 18, 20, 21, 23, 24
    ]  # fmt: skip
    assert sum(layer.channels for layer in layers) == 9088
    assert [layer.name for layer in layers[:5]] == [
        "4.conv1", "4.rgb", "8.conv0", "8.conv1", "8.rgb"
    ]  # fmt: skip
    assert [layer.latent for layer in layers[:8]] == [0, 1, 1, 2, 3, 3, 4, 5]
    assert layers[-1].latent == 17 and Config.of(1024).latents == 18


def test_truncation_moves_towards_the_mean() -> None:
    g = generator()
    z = torch.randn(3, 9, generator=torch.Generator().manual_seed(0))
    whole, half, none = (g.map(z, truncation=t) for t in (1.0, 0.5, 0.0))
    torch.testing.assert_close(half, (whole + g.w_avg) / 2)
    torch.testing.assert_close(none, g.w_avg.expand_as(none))
    some = g.map(z, truncation=0.5, cutoff=2)
    assert torch.equal(some[:, :2], half[:, :2]) and torch.equal(some[:, 2:], whole[:, 2:])


def test_mixing_takes_the_first_layers_of_one_and_the_rest_of_the_other() -> None:
    g = generator()
    first, second = w_plus(g, seed=1), w_plus(g, seed=2)
    mixed = mix(first, second, 4)
    assert torch.equal(mixed[:, :4], first[:, :4]) and torch.equal(mixed[:, 4:], second[:, 4:])
    assert torch.equal(g(mix(first, second, g.config.latents)), g(first))


def test_the_mean_of_w_is_that_of_many() -> None:
    g = generator()
    mean = g.mean_w(2048, torch.Generator().manual_seed(0))
    assert torch.equal(mean, g.mean_w(2048, torch.Generator().manual_seed(0)))
    other = g.mean_w(2048, torch.Generator().manual_seed(1))
    spread = g.map(torch.randn(2048, 9))[:, 0].std(0)
    assert bool(((mean - other).abs() < 6 * spread * (2 / 2048) ** 0.5).all())


def test_noise_is_what_was_asked_for() -> None:
    g = generator()
    w = w_plus(g)
    drawn = [g(w, noise=torch.Generator().manual_seed(s)) for s in (0, 0, 1)]
    assert torch.equal(drawn[0], drawn[1]) and not torch.equal(drawn[0], drawn[2])
    same = [layer.noise for layer in g.convolutions()]
    assert len(same) == g.config.latents - 1
    assert torch.equal(g(w, noise=same), g(w)) and torch.equal(g(w), g(w))
    assert torch.equal(g(w, noise=[n.expand(2, 1, -1, -1) for n in same]), g(w))
    nothing = [torch.zeros_like(n) for n in same]
    torch.testing.assert_close(g(w, noise=nothing), g(w, noise="none"))
    with pytest.raises(ValueError, match="5 layers take noise"):
        g(w, noise=same[:2])


def test_pictures_are_finite_and_each_is_its_own() -> None:
    """Latents ten times as far out as any, and one that is all zeros."""
    g = generator(64)
    w = torch.cat([w_plus(g) * 10, torch.zeros(1, g.config.latents, 8)])
    pictures = g(w)
    assert pictures.shape == (3, 3, 64, 64) and bool(pictures.isfinite().all())
    torch.testing.assert_close(pictures[1:2], g(w[1:2]), atol=1e-4, rtol=1e-5)


# --- derivatives ----------------------------------------------------------------------------------


def test_derivatives_by_finite_differences() -> None:
    """W+, a style, noise and every parameter of a 16-pixel generator, in float64."""
    g = generator(16, conv_clamp=50.0).double().requires_grad_(True)
    w = w_plus(g, 1).double().requires_grad_()
    noise = [layer.noise.clone().requires_grad_() for layer in g.convolutions()]
    random = torch.Generator().manual_seed(5)
    target = torch.randn(1, 3, 16, 16, generator=random, dtype=torch.float64)

    def loss() -> Tensor:
        return (g(w, noise=noise) - target).square().mean()

    known = [p for n, p in g.named_parameters() if "mapping" not in n]
    inputs = [w, *noise, *known]
    for value, slope in zip(inputs, torch.autograd.grad(loss(), inputs), strict=True):
        step = torch.randn(value.shape, generator=random, dtype=torch.float64) * 1e-6
        with torch.no_grad():
            value += step
            above = loss()
            value -= 2 * step
            below = loss()
            value += step
        expected = float((slope * step).sum()) * 2
        # second differences cancel; third order and rounding are what is left
        assert float(above - below) == pytest.approx(expected, rel=1e-5, abs=1e-13)


def test_second_derivatives_by_finite_differences() -> None:
    """R1 and path length differentiate a derivative."""
    g = generator(8).double()
    random = torch.Generator().manual_seed(0)
    w = torch.randn(1, 4, 8, generator=random, dtype=torch.float64).requires_grad_()
    styles = [s.detach().requires_grad_() for s in g.styles(w)]
    assert torch.autograd.gradgradcheck(lambda w: g(w)[:, :, 2:4, 3], w, atol=1e-6)
    assert torch.autograd.gradgradcheck(lambda *s: g.render(s)[:, :1, 2:4, 3], styles, atol=1e-6)


@pytest.mark.parametrize("c_dim", [0, 3])
def test_the_discriminator_sees_the_batch_and_is_differentiable_twice(c_dim: int) -> None:
    torch.manual_seed(0)
    d = Discriminator(Config(16, (6, 5, 4), w_dim=8, c_dim=c_dim), group=2).double()
    pictures = torch.randn(4, 3, 16, 16, dtype=torch.float64)
    c = torch.randn(4, 3, dtype=torch.float64) if c_dim else None
    scores = d(pictures, c)
    assert scores.shape == (4,) and bool(scores.isfinite().all())
    # pictures 0 and 2 are one group, 1 and 3 the other
    changed = torch.cat([pictures[:2], pictures[2:3] * 2, pictures[3:]])
    moved = (d(changed, c) - scores).abs() > 1e-9
    assert moved.tolist() == [True, False, True, False]

    def penalty(x: Tensor) -> Tensor:
        (slope,) = torch.autograd.grad(d(x, c).sum(), x, create_graph=True)
        return slope.square().sum()

    x = pictures.clone().requires_grad_()
    (slope,) = torch.autograd.grad(penalty(x), x)
    step = torch.randn_like(x) * 1e-6
    difference = (penalty(x + step) - penalty(x - step)).detach()
    assert float(difference) == pytest.approx(2 * float((slope * step).sum()), rel=1e-4)


def test_path_length_reaches_every_parameter_that_moves_the_picture() -> None:
    g = generator(8).requires_grad_(True)
    w = g.map(torch.randn(2, 9))
    noise = torch.randn(2, 3, 8, 8)
    (slope,) = torch.autograd.grad((g(w) * noise).sum(), w, create_graph=True)
    slope.square().sum((1, 2)).sqrt().mean().backward()
    still = {n for n, p in g.named_parameters() if p.grad is None or not p.grad.abs().sum()}
    assert still <= {n for n in still if n.endswith("bias") or "noise" in n}


# --- configs --------------------------------------------------------------------------------------


def test_the_papers_widths() -> None:
    assert Config.of(1024).channels == (512, 512, 512, 512, 512, 256, 128, 64, 32)
    assert Config.of(256, base=16384).channels == (512, 512, 512, 512, 256, 128, 64)
    config = Config.of(64, 4096, 128, w_dim=32, c_dim=2, conv_clamp=256.0)
    assert Config.from_json(config.to_json() | {"more": 1}) == config


@pytest.mark.parametrize(
    ("size", "rest"),
    [(4, {}), (48, {}), (4096, {}), (0, {}), (-8, {}), (16, {"z_dim": 0}), (16, {"widest": 0}),
     (16, {"mapping_layers": 0}), (16, {"mapping_layers": 99}), (16, {"c_dim": -1}),
     (16, {"w_dim": 2**40}), (16, {"conv_clamp": float("nan")}), (16, {"mapping_rate": 0})],
)  # fmt: skip
def test_generators_that_can_t_be_are_refused_before_they_are_made(
    size: int, rest: dict[str, float]
) -> None:
    with pytest.raises(LimnerError, match="no such generator") as caught:
        Config.of(size, **rest)  # type: ignore[arg-type]
    assert caught.value.code is ErrorCode.BAD_INPUT


@pytest.mark.parametrize(
    "content",
    [{}, {"size": 16}, {"size": "x", "channels": []}, {"size": 16, "channels": 3},
     {"size": 16, "channels": [1]}, {"size": 1e99, "channels": [1]}],
)  # fmt: skip
def test_a_config_that_tells_no_generator_is_refused(content: dict[str, object]) -> None:
    with pytest.raises(LimnerError, match="tells no generator"):
        Config.from_json(content)
