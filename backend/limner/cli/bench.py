"""`limner bench`: the rasterizer's time, where a drawing step's time goes, what live costs, and how
well drawings take over a style, and how well edits do what is asked."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from limner_wire.errors import ErrorCode, LimnerError

ATTRIBUTES = Path(__file__).parent.parent / "starter" / "attributes"
SCENES_JUDGE = ATTRIBUTES.with_name("scenes-judge")


def register(app: typer.Typer, name: str) -> None:
    """Put the commands into the program."""
    group = typer.Typer(no_args_is_help=True)
    group.command("strokes")(strokes)
    group.command("draw")(draw)
    group.command("live")(live)
    group.command("style")(style)
    group.command("edit")(edit)
    group.command("adapt")(adapt)
    group.command("imagine")(imagine)
    group.command("generator")(generator)
    app.add_typer(group, name=name, help="Measure this machine.")


def strokes(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """Time the rasterizer on eight scenes, on one thread and on all, beside diffvg."""
    from limner.vector import bench

    rows = bench.measure()
    if as_json:
        typer.echo(json.dumps(rows))
    else:
        Console().print(bench.table(rows))


def draw(
    model: Annotated[str | None, typer.Option("--model", help="NAME")] = None,
    steps: Annotated[int, typer.Option("--steps", min=1, help="steps to measure")] = 60,
    strokes: Annotated[int | None, typer.Option("--strokes", min=1, help="how many")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """Time a CLIPDraw step and its parts, at the default settings but for the strokes."""
    from limner.methods import bench

    figures = bench.measure(model, steps, {} if strokes is None else {"strokes": strokes})
    if as_json:
        typer.echo(json.dumps(figures))
        return
    table = Table("part of a step", "ms (median)", "share", box=None)
    for name, ms in figures["parts_ms"].items():
        table.add_row(name, f"{ms:.2f}", f"{ms / figures['step_ms']:.0%}")
    table.add_row("whole step", f"{figures['step_ms']:.2f}", "")
    Console().print(table)
    typer.echo(f"all but CLIP: {figures['all_but_clip']:.0%} of the step ({figures['about']})")
    typer.echo(f"{steps} steps: {figures['steps_s']:.2f} s")


def live(
    seconds: Annotated[float, typer.Option("--seconds", help="of each measurement")] = 20.0,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """Measure the server under fifty clients, a frame's way to one, and what watching costs."""
    from limner.server import bench

    figures = bench.measure(seconds)
    _told(figures, as_json)


def style(
    out: Annotated[Path, typer.Option("--out", help="where the contact sheet goes")] = Path(
        ".cache/style"
    ),
    prompts: Annotated[
        list[str] | None, typer.Option("--prompt", help="labels of the corpus; default: five")
    ] = None,
    hands: Annotated[
        list[str] | None, typer.Option("--hand", help="of the five hands; default: all")
    ] = None,
    strokes: Annotated[int, typer.Option("--strokes")] = 256,
    steps: Annotated[int, typer.Option("--steps")] = 500,
    seed: Annotated[int, typer.Option("--seed")] = 0,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="of the style, NAME=VALUE, as JSON")
    ] = None,
    unseen: Annotated[
        Path, typer.Option("--unseen", help="the packed corpus whose labels the judge ranks")
    ] = Path(".cache/corpus/unseen"),
    networks: Annotated[
        bool, typer.Option("--networks", help="measure the networks alone: who tells hands apart")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """Draw five prompts in five hands and measure them beside plain CLIPDraw."""
    from limner.training import style_evaluate as measure
    from limner.training import style_networks

    if networks:
        figures: dict[str, object] = dict(style_networks.measure())
    else:
        settings = {"strokes": strokes, "steps": steps, "seed": seed}
        asked = prompts or (), hands or (), settings, _given(setting)
        figures = dict(measure.run(*asked, unseen, out))
    _told(figures, as_json)


def edit(
    judge: Annotated[
        Path,
        typer.Option(
            "--judge",
            help="the folder of the judge of attributes",
            show_default="starter/attributes",
        ),
    ] = ATTRIBUTES,
    out: Annotated[Path, typer.Option("--out", help="where outcomes and sheets go")] = Path(
        ".cache/edits"
    ),
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", help="direction | mapper | optimize; may be repeated"),
    ] = None,
    portraits: Annotated[int, typer.Option("--portraits", min=1)] = 100,
    fit: Annotated[int, typer.Option("--fit", help="steps that find each portrait's code")] = 100,
    generator: Annotated[str | None, typer.Option("--generator")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="METHOD.NAME=VALUE, as JSON")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """Edit held-out portraits in six ways by three methods, and count what changed."""
    from limner.models import clip, networks
    from limner.models.device import best_device
    from limner.training import attribute_judge
    from limner.training import edit_evaluate as measure

    ways = methods or list(measure.METHODS)
    if unknown := sorted(set(ways) - set(measure.METHODS)):
        raise LimnerError(ErrorCode.BAD_INPUT, f"There is no method {unknown[0]!r}.")
    given: dict[str, dict[str, object]] = {}
    for text, value in _given(setting).items():
        way, _, name = text.partition(".")
        given.setdefault(way, {})[name] = value
    device = best_device()
    name = networks.find("generator", generator).name
    looking = attribute_judge.load(judge, device), clip.load(networks.readers(name), device)
    evaluation = measure.Evaluation(name, *looking, given, device)
    _told(measure.run(evaluation, ways, portraits, fit, out), as_json)


def adapt(
    out: Annotated[Path, typer.Option("--out", help="where outcomes and the sheet go")] = Path(
        ".cache/adapt"
    ),
    media: Annotated[
        list[str] | None, typer.Option("--medium", help="pencil | pixel art | watercolour")
    ] = None,
    ways: Annotated[
        list[str] | None,
        typer.Option(
            "--way",
            help="direction | from nothing | adaptive layers | global | three pictures; repeatable",
        ),
    ] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of adapt's settings, as JSON")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """Let the starter's generator learn three media, and count what it paints."""
    from limner.models import clip, networks
    from limner.models.catalog import PORTRAITS, STARTER, find
    from limner.models.device import best_device
    from limner.training import adapt_evaluate as measure
    from limner.training import attribute_judge

    some, how = media or list(measure.TARGETS), ways or list(measure.WAYS)
    strange = [name for name in (*some, *how) if name not in {**measure.TARGETS, **measure.WAYS}]
    if strange:
        raise LimnerError(ErrorCode.BAD_INPUT, f"There is no {strange[0]!r} to measure.")
    device = best_device()
    clips = clip.load(networks.readers(PORTRAITS), device)
    judges = attribute_judge.load(ATTRIBUTES, device), clip.Clip(find(STARTER), device)
    evaluation = measure.Evaluation(PORTRAITS, *judges, clips, device)
    _told(measure.run(evaluation, some, how, _given(setting), out), as_json)


def imagine(
    judge: Annotated[
        Path,
        typer.Option(
            "--judge",
            help="the folder of the judge of captions",
            show_default="starter/scenes-judge",
        ),
    ] = SCENES_JUDGE,
    held_out: Annotated[
        Path, typer.Option("--held-out", help="the packed corpus of what nothing was trained on")
    ] = Path(".cache/corpus/held-out"),
    out: Annotated[Path, typer.Option("--out", help="where figures and sheets go")] = Path(
        ".cache/imagined"
    ),
    priors: Annotated[
        list[str] | None, typer.Option("--prior", help="diffusion | autoregressive; repeatable")
    ] = None,
    portraits: Annotated[
        int, typer.Option("--portraits", min=0, help="of text diffs; 0 for none")
    ] = 100,
    decoder: Annotated[str | None, typer.Option("--decoder")] = None,
    setting: Annotated[
        list[str] | None, typer.Option("--set", help="NAME=VALUE of imagine's settings, as JSON")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """Paint a hundred captions that nobody has seen painted, and count who is understood."""
    from limner.methods.imagine import WAYS
    from limner.methods.imagining import network
    from limner.models import catalog, clip
    from limner.models.device import best_device
    from limner.training import attribute_judge, corpora
    from limner.training import imagine_evaluate as measure

    device = best_device()
    paints = network("decoder", decoder or "", device)
    (reader,) = clip.load([paints.config.clip], device)
    looks = catalog.at(judge, judge.name)
    if looks is None:
        raise LimnerError(ErrorCode.UNKNOWN_MODEL, f"There is no judge in {judge}.")
    evaluation = measure.Evaluation(
        paints, reader.clip, clip.Clip(looks, device),
        attribute_judge.load(ATTRIBUTES, device), _given(setting), device,
    )  # fmt: skip
    ways = priors or list(WAYS)
    _told(measure.run(evaluation, corpora.load(held_out), ways, out, portraits), as_json)


def generator(
    size: Annotated[int, typer.Option("--size", help="pixels, a power of two")] = 1024,
    rounds: Annotated[int, typer.Option("--rounds", min=1)] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """Time a slider and a step of a search with a StyleGAN2 of a size, and see the memory."""
    from limner.methods import bench

    _told(bench.edits(size, rounds), as_json)


def _given(texts: list[str] | None) -> dict[str, Any]:
    """Settings given as NAME=VALUE, each value JSON.

    Raises:
        LimnerError: BAD_INPUT for one that is not.
    """
    out = {}
    for text in texts or ():
        name, _, value = text.partition("=")
        try:
            out[name] = json.loads(value)
        except ValueError:
            words = f"{text[:60]!r} is no setting."
            raise LimnerError(ErrorCode.BAD_INPUT, words, "Give NAME=VALUE, as JSON.") from None
    return out


def _told(figures: Mapping[str, object], as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps(figures))
        return
    table = Table("figure", "measured", box=None)
    for name, figure in figures.items():
        table.add_row(name, f"{figure}")
    Console().print(table)
