"""The rasterizer on the CPU: held to the plain reference, to itself, and to bad input."""

from __future__ import annotations

import threading
from collections.abc import Callable

import pytest
import torch
from scribbles import gradients, leaves, line, scribble, smooth_noise
from torch import Tensor

from limner.vector import reference
from limner.vector.canvas import Canvas, Wanted
from limner.vector.cpu import Numba
from limner.vector.rasterizer import WHITE, choices, choose, render
from limner.vector.strokes import Strokes, empty, pack

SIZE = (51, 67)  # not square, not whole tiles


def oracle(strokes: Strokes, size: tuple[int, int], background: Tensor, scale: float = 1) -> Tensor:
    """The reference in double precision."""
    height, width = round(size[0] * scale), round(size[1] * scale)
    scenes = torch.tensor([0, strokes.count])
    canvas = Canvas(height, width, scale, strokes.offsets, scenes)
    given = (strokes.points, strokes.width, strokes.rgba, background)
    return reference.render(*given, canvas)


def cosine(a: Tensor, b: Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), dim=0))


KINDS: dict[str, Callable[[int], Strokes]] = {
    "thick": lambda seed: scribble(9, seed, SIZE, (3, 20)),
    "thin": lambda seed: scribble(12, seed, SIZE, (0.8, 2)),
    "hairline": lambda seed: scribble(12, seed, SIZE, (0.05, 0.6)),
    "wide": lambda seed: scribble(4, seed, SIZE, (30, 120)),
    "long": lambda seed: scribble(6, seed, SIZE, (1, 8), segments=6, step=0.1),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("seed", [1, 2])
def test_the_kernels_draw_what_the_reference_draws(kind: str, seed: int) -> None:
    strokes = KINDS[kind](seed)
    fast, slow = leaves(strokes), leaves(strokes, torch.float64)
    behind = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(seed)).requires_grad_()
    behind_slow = behind.detach().double()[None].requires_grad_()
    upstream = smooth_noise(SIZE, seed)
    image = render(fast, SIZE, background=behind)
    (image * upstream).sum().backward()
    expected = oracle(slow, SIZE, behind_slow)
    (expected * upstream).sum().backward()
    # 1e-6 but where a pixel's centre lies on a line to a thousandth of a pixel: float32 does not
    # know its normal there; nor which of two equally near segments it took
    difference = (image - expected).abs()
    assert difference.max() < 2e-3 and difference.mean() < 2e-6
    for found, wanted in zip(gradients(fast), gradients(slow), strict=True):
        assert (found - wanted).norm() < 2e-3 * wanted.norm(), "beyond those pixels"
    assert behind.grad is not None and behind_slow.grad is not None
    assert (behind.grad - behind_slow.grad[0]).abs().max() < 5e-3 * upstream.abs().max()


def test_the_gradient_is_that_of_the_picture() -> None:
    """Central differences of the rasterizer itself."""
    strokes = leaves(scribble(8, 3, SIZE, (1, 14)))
    upstream = smooth_noise(SIZE, 3).double()

    def value(points: Tensor, width: Tensor, rgba: Tensor) -> float:
        image = render(Strokes(points, strokes.offsets, width, rgba), SIZE)
        return float((image.double() * upstream).sum())

    (render(strokes, SIZE) * upstream.float()).sum().backward()
    given = [t.detach() for t in (strokes.points, strokes.width, strokes.rgba)]
    for which, (eps, least) in enumerate([(0.05, 0.999), (0.05, 0.9999), (0.02, 0.9999)]):
        found = gradients(strokes)[which]
        wanted = torch.zeros_like(found)
        for i in range(found.numel()):
            ends = []
            for sign in (1, -1):
                moved = [t.clone() for t in given]
                moved[which].view(-1)[i] += sign * eps
                moved[2].clamp_(0, 1)
                ends.append((value(*moved), float(moved[which].view(-1)[i])))
            wanted.view(-1)[i] = (ends[0][0] - ends[1][0]) / (ends[0][1] - ends[1][1])
        # points: their normal is held fixed and the number of segments steps, both second order
        assert cosine(found, wanted) > least, which
        assert float(found.norm() / wanted.norm()) == pytest.approx(1, abs=0.02), which


def test_a_batch_is_its_drawings() -> None:
    drawings = [scribble(n, 10 + n, SIZE) for n in (5, 1, 9)]
    drawings.insert(2, empty())
    scenes = torch.tensor([0] + [d.count for d in drawings]).cumsum(0)
    behind = torch.rand(4, 3, *SIZE, generator=torch.Generator().manual_seed(4))
    upstream = smooth_noise(SIZE, 5, scenes=4)
    together = leaves(pack(drawings))
    images = render(together, SIZE, background=behind, scenes=scenes)
    (images * upstream).sum().backward()
    points, width, rgba = gradients(together)
    for b, drawing in enumerate(drawings):
        alone = leaves(drawing)
        image = render(alone, SIZE, background=behind[b])
        assert torch.equal(image[0], images[b]), "one thread or two, the same arithmetic"
        if drawing.count:
            (image * upstream[b]).sum().backward()
            s, e = int(scenes[b]), int(scenes[b + 1])
            first, last = int(together.offsets[s]), int(together.offsets[e])
            assert torch.equal(gradients(alone)[0], points[first:last])
            assert torch.equal(gradients(alone)[1], width[s:e])
            assert torch.equal(gradients(alone)[2], rgba[s:e])


def test_the_number_of_threads_changes_nothing() -> None:
    """The same file from the same seed, on one core or on thirty-two."""
    size = (200, 180)
    strokes = scribble(150, 6, size, (1, 20))
    canvas = Canvas(*size, 1.0, strokes.offsets, torch.tensor([0, strokes.count]))
    white = torch.ones(1, 3, 1, 1)
    upstream = smooth_noise(size, 6)
    results = []
    for threads in (1, 2, 3, 2):
        rasterizer = Numba(threads)
        image, trace = rasterizer.draw(strokes.points, strokes.width, strokes.rgba, white, canvas)
        assert rasterizer._threads(len(trace.plan[3])) == threads, "too small to need threads"
        found = rasterizer.pull(trace, upstream, Wanted(True, True, True, True))
        results.append((image, *found))
    for other in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(results[0], other, strict=True))


def test_two_callers_at_once() -> None:
    """numba's own thread layers abort the process here; ours must not."""
    size = (160, 160)
    strokes = scribble(120, 7, size)
    expected = render(strokes, size)
    results: list[Tensor] = []

    def call() -> None:
        results.extend(render(strokes, size) for _ in range(5))

    callers = [threading.Thread(target=call) for _ in range(3)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert len(results) == 15 and all(torch.equal(r, expected) for r in results)


def test_a_larger_result_is_the_larger_drawing() -> None:
    strokes = scribble(7, 8, SIZE)
    a, b = leaves(strokes), leaves(strokes)
    image = render(a, SIZE, scale=4)
    again = render(b.scaled(4), (SIZE[0] * 4, SIZE[1] * 4))
    assert image.shape == (1, 3, SIZE[0] * 4, SIZE[1] * 4) and torch.equal(image, again)
    upstream = smooth_noise((SIZE[0] * 4, SIZE[1] * 4), 8)
    (image * upstream).sum().backward()
    (again * upstream).sum().backward()
    for found, wanted in zip(gradients(a), gradients(b), strict=True):
        assert (found - wanted).norm() < 1e-5 * wanted.norm()  # one rounding apart
    assert render(strokes, (50, 50), scale=0.5).shape == (1, 3, 25, 25)


def test_backgrounds() -> None:
    strokes = line(10, 25, 50, 25, width=8, rgba=(0, 0, 1, 1))
    for background, corner in (
        (WHITE, (1, 1, 1)),
        ((0.2, 0.4, 0.6), (0.2, 0.4, 0.6)),
        (torch.tensor([0.2, 0.4, 0.6]), (0.2, 0.4, 0.6)),
        (torch.full((3, *SIZE), 0.3), (0.3, 0.3, 0.3)),
        (torch.full((1, 3, *SIZE), 0.3, dtype=torch.float64), (0.3, 0.3, 0.3)),
    ):
        image = render(strokes, SIZE, background=background)
        assert torch.equal(image[0, :, 2, 3], torch.tensor(corner, dtype=torch.float32))
        assert torch.equal(image[0, :, 24, 30], torch.tensor([0.0, 0.0, 1.0]))
    colour = torch.tensor([0.5, 0.5, 0.5], requires_grad=True)
    render(strokes, SIZE, background=colour)[:, 0].sum().backward()
    shown = (render(strokes, SIZE, background=(1, 0, 0))[0, 0]).sum()  # red where no stroke is
    assert colour.grad is not None
    assert float(colour.grad[0]) == pytest.approx(float(shown), rel=1e-5)
    assert colour.grad[1:].tolist() == [0, 0]


def test_later_strokes_lie_on_top() -> None:
    red, blue = line(5, 25, 60, 25), line(30, 5, 30, 45, rgba=(0, 0, 1, 1))
    assert render(pack([red, blue]), SIZE)[0, :, 25, 29].tolist() == [0, 0, 1]
    assert render(pack([blue, red]), SIZE)[0, :, 25, 29].tolist() == [1, 0, 0]
    glass = line(30, 5, 30, 45, rgba=(0, 0, 1, 0.25))
    # straight alpha: a quarter of blue over red
    assert render(pack([red, glass]), SIZE)[0, :, 25, 29].tolist() == [0.75, 0, 0.25]


@pytest.mark.parametrize("way", [(1, 0), (0, 1), (1, 1), (3, 4), (12, 5), (-2, 9)])
@pytest.mark.parametrize("width", [0.2, 0.6, 1.0, 3.0, 9.0])
def test_a_straight_stroke_covers_its_area(way: tuple[int, int], width: float) -> None:
    """Exact half planes: a longer stroke has its length times its width more ink, at any angle."""
    ink = []
    for extra in (0, 1):  # whole pixels at both ends, so that the caps stay the same
        x, y = (1.3 + extra) * way[0], (1.3 + extra) * way[1]
        stroke = line(40.3 - x, 40.6 - y, 40.3 + x, 40.6 + y, width=width, rgba=(0, 0, 0, 1))
        ink.append(float((1 - render(stroke, (81, 81))[0, 0].double()).sum()))
    longer = 2 * (way[0] ** 2 + way[1] ** 2) ** 0.5
    assert ink[1] - ink[0] == pytest.approx(longer * width, rel=1e-3)  # float32; normals >= 0.001


def spoilt(strokes: Strokes, s: int, what: str) -> Strokes:
    points, width, rgba = strokes.points.clone(), strokes.width.clone(), strokes.rgba.clone()
    row = int(strokes.offsets[s]) + 1
    number = {"nan": float("nan"), "inf": float("inf"), "-inf": -float("inf")}
    kind, field = what.split()
    value = number.get(kind, 1e30)
    if field == "point":
        points[row, 1] = value
    elif field == "width":
        width[s] = value
    elif field == "none":
        width[s] = {"zero": 0.0, "minus": -2.0}[kind]
    else:
        rgba[s, 3 if field == "alpha" else 1] = value
    return Strokes(points, strokes.offsets, width, rgba)


@pytest.mark.parametrize(
    "what",
    [
        *("nan point", "inf point", "-inf point", "far point", "nan width", "inf width"),
        *("nan alpha", "inf green", "zero none", "minus none"),
    ],
)
@pytest.mark.parametrize("rasterizer", ["numba", "reference"])
def test_a_bad_stroke_draws_nothing_and_harms_nothing(what: str, rasterizer: str) -> None:
    strokes = scribble(5, 9, SIZE)
    kept = strokes.select(torch.tensor([0, 1, 3, 4]))
    bad, good = leaves(spoilt(strokes, 2, what)), leaves(kept)
    upstream = smooth_noise(SIZE, 9)
    image = render(bad, SIZE, rasterizer=rasterizer)
    (image * upstream).sum().backward()
    expected = render(good, SIZE, rasterizer=rasterizer)
    (expected * upstream).sum().backward()
    assert torch.equal(image, expected)
    points, width, rgba = gradients(bad)
    assert not points[14:21].any() and not width[2] and not rgba[2].any()
    rows = torch.tensor([0, 1, 3, 4])
    assert torch.equal(points.view(5, 7, 2)[rows].reshape(-1, 2), gradients(good)[0])
    assert torch.equal(width[rows], gradients(good)[1])
    assert torch.equal(rgba[rows], gradients(good)[2])


def test_a_stroke_without_length_is_a_dot() -> None:
    dot = leaves(line(30.5, 25.5, 30.5, 25.5, width=12, rgba=(0, 0, 0, 1)))
    image = render(dot, SIZE)
    ink = 1 - image[0, 0]
    assert float(ink.detach().sum()) == pytest.approx(torch.pi * 36, rel=0.01)  # flat edges
    around = ink.detach()[17:34, 22:39]
    for turned in (around.flip(0), around.flip(1), around.T):
        assert torch.allclose(around, turned, atol=1e-6)
    (image * smooth_noise(SIZE, 1)).sum().backward()
    assert all(bool(g.isfinite().all()) for g in gradients(dot))
    assert gradients(dot)[1].abs().sum() > 0
    tiny = leaves(line(30.5, 25.5, 30.5 + 1e-6, 25.5, width=0.01))
    render(tiny, SIZE).sum().backward()
    assert all(bool(g.isfinite().all()) for g in gradients(tiny))


def test_strokes_off_the_canvas() -> None:
    """They are free, wherever they are, and one that passes through is drawn."""
    away = [line(-500, 10, -100, 40), line(0, 1e6, 60, 9e5), line(1e30, -1e30, 1e30, 0)]
    away += [line(10, 90, 60, 90, width=2)]
    assert torch.equal(render(pack(away), SIZE), torch.ones(1, 3, *SIZE))
    through = line(-9e5, 25.5, 9e5, 25.5, width=4, rgba=(0, 0, 0, 1))
    image = render(pack([*away, through]), SIZE)
    assert (image[0, 0, 24:26] == 0).all() and (image[0, 0, :20] == 1).all()
    vast = line(-30, 20, 90, 30, width=1e9, rgba=(0, 1, 0, 1))
    assert (render(vast, SIZE)[0] == torch.tensor([0.0, 1, 0]).view(3, 1, 1)).all()


def test_no_strokes_is_the_background() -> None:
    behind = torch.rand(3, *SIZE, generator=torch.Generator().manual_seed(1)).requires_grad_()
    nothing = leaves(empty())
    image = render(nothing, SIZE, background=behind)
    assert torch.equal(image[0], behind)
    image.sum().backward()
    assert behind.grad is not None and (behind.grad == 1).all()
    assert [g.numel() for g in gradients(nothing)] == [0, 0, 0]
    three = render(empty(), SIZE, scenes=torch.zeros(4, dtype=torch.int64))
    assert three.shape == (3, 3, *SIZE) and (three == 1).all()


def test_any_number_of_strokes_may_overlap() -> None:
    """diffvg aborts the process beyond 256."""
    one = line(20, 25, 45, 30, width=20, rgba=(1, 0, 0, 0.01))
    many = leaves(pack([one] * 3000))
    image = render(many, SIZE)
    through = 0.99**3000
    assert float(image[0, 1, 27, 32].detach()) == pytest.approx(through, abs=1e-6)
    image.sum().backward()
    assert all(bool(g.isfinite().all()) for g in gradients(many))
    opaque = leaves(pack([line(20, 25, 45, 30, width=20, rgba=(0.1, 0.2, 0.3, 1))] * 300))
    image = render(opaque, SIZE)
    assert torch.allclose(image[0, :, 27, 32], torch.tensor([0.1, 0.2, 0.3]), atol=1e-6)
    image.sum().backward()
    hidden = gradients(opaque)[2][:-1, :3].abs().max()
    assert hidden < 0.3 * gradients(opaque)[2][-1, :3].abs().max(), "only its fringe shows"


def test_a_segment_between_two_rows_of_pixels_hides_no_other() -> None:
    """It meets no pixel's centre, and must not take the place of one that does."""
    ground = line(-30, 16, 62, 16, width=60, rgba=(0.2, 0.4, 0.6, 1))
    kinked = torch.tensor([[4.0, 5], [4.1, 7], [3.9, 7.2], [4, 9.9], [4.1, 14.3], [4, 12.7],
                           [4, 14.2]])  # fmt: skip
    for shift in torch.linspace(0, 8, 801).tolist():
        thin = Strokes(
            kinked + torch.tensor([0, shift]), torch.tensor([0, 7]), torch.tensor([2.0]),
            torch.ones(1, 4),
        )  # fmt: skip
        far = render(pack([ground, thin]), (32, 32))[0, :, :, 12:]
        assert torch.equal(far, far[:, :1, :1].expand_as(far)), f"{shift:.2f} px down"


def test_colours_beyond_their_range_are_clamped() -> None:
    wild = leaves(pack([line(5, 25, 60, 25, rgba=(1.5, -0.2, 0.5, 0.5))]))
    tame = line(5, 25, 60, 25, rgba=(1, 0, 0.5, 0.5))
    image = render(wild, SIZE)
    assert torch.equal(image, render(tame, SIZE))
    image[:, :, 20:30].sum().backward()
    rgba = gradients(wild)[2][0]
    assert rgba[0] == 0 and rgba[1] == 0 and rgba[2] > 0 and rgba[3] != 0


def test_one_pixel_and_a_long_strip() -> None:
    assert render(line(0, 0, 1, 1, width=3), (1, 1)).shape == (1, 3, 1, 1)
    for size in ((1, 700), (700, 1), (9, 3)):
        strokes = scribble(5, 11, size)
        image = render(strokes, size)
        expected = oracle(leaves(strokes, torch.float64), size, torch.ones(1, 3, 1, 1).double())
        assert (image - expected).abs().max() < 2e-3  # as above


def test_only_what_is_asked_for_has_a_gradient() -> None:
    strokes = scribble(5, 12, SIZE)
    full = leaves(strokes)
    (render(full, SIZE) * smooth_noise(SIZE, 12)).sum().backward()
    rgba = strokes.rgba.clone().requires_grad_()
    only = Strokes(strokes.points, strokes.offsets, strokes.width, rgba)
    (render(only, SIZE) * smooth_noise(SIZE, 12)).sum().backward()
    assert rgba.grad is not None and torch.equal(rgba.grad, gradients(full)[2])
    assert strokes.points.grad is None
    assert not render(strokes, SIZE).requires_grad


def test_the_backward_pass_may_run_twice() -> None:
    strokes = leaves(scribble(5, 13, SIZE))
    image = render(strokes, SIZE)
    image.sum().backward(retain_graph=True)  # an upstream gradient without memory of its own
    once = [g.clone() for g in gradients(strokes)]
    image.sum().backward()
    assert all(torch.equal(g, 2 * o) for g, o in zip(gradients(strokes), once, strict=True))


def test_double_precision_comes_back_as_it_went() -> None:
    strokes = leaves(scribble(3, 14, SIZE), torch.float64)
    render(strokes, SIZE).sum().backward()
    assert gradients(strokes)[0].dtype == torch.float64


def test_what_does_not_fit_is_refused() -> None:
    strokes = scribble(3, 15, SIZE)
    for size, scale in (((0, 5), 1.0), ((5, 5), float("nan")), ((5, 5), -1.0), ((5, 5), 1e9)):
        with pytest.raises(ValueError, match="cannot draw"):
            render(strokes, size, scale=scale)
    for scenes in ([0], [0, 2], [1, 3], [0, 2, 1, 3]):
        with pytest.raises(ValueError, match="scenes"):
            render(strokes, SIZE, scenes=torch.tensor(scenes))
    for shape in ((4,), (3, 5, 5), (2, 3, *SIZE), (1, *SIZE)):
        with pytest.raises(ValueError, match="background"):
            render(strokes, SIZE, background=torch.zeros(shape))
    with pytest.raises(ValueError, match="no rasterizer"):
        render(strokes, SIZE, rasterizer="pencil")


def test_the_choice_names_what_draws() -> None:
    assert choose(torch.device("cpu")).name == "numba"
    assert choose(torch.device("cpu"), "reference").name == "reference"
    listed = {c.name: c for c in choices()}
    assert set(listed) == {"cuda", "numba", "reference", "diffvg"}
    assert listed["numba"].missing is None and listed["reference"].missing is None
    if listed["diffvg"].missing is not None:
        with pytest.raises(RuntimeError, match="diffvg"):
            choose(torch.device("cpu"), "diffvg")
    with pytest.raises(ValueError, match="cpu"):
        choose(torch.device("cpu"), "cuda")
