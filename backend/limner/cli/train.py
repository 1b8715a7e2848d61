"""`limner train`: the starter models' own training, on their corpus or on pictures of yours.

The portraits' networks are trained by `cli.train_portraits`, what edits need by `cli.train_edits`,
unCLIP by `cli.train_unclip`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import torch
import typer

from limner.cli import train_edits, train_portraits, train_unclip
from limner.models.catalog import at, find
from limner.models.clip import Clip
from limner.models.device import best_device
from limner_wire.errors import ErrorCode, LimnerError

CORPUS = Path(".cache/corpus")
HELD_OUT = 1000  # compositions that nothing is trained on
JUDGE = Path(__file__).parent.parent / "starter" / "judge"


def register(app: typer.Typer, name: str) -> None:
    """Put the commands into the program."""
    group = typer.Typer(no_args_is_help=True)
    group.callback()(_together)
    group.command("corpus")(corpus)
    group.command("clip")(clip)
    train_portraits.register(group)
    train_edits.register(group)
    train_unclip.register(group)
    app.add_typer(group, name=name, help="Train the starter models on pictures of your own.")


def _together() -> None:
    from limner.training import crew

    crew.join()  # several processes under `accelerate launch` train as one


def corpus(
    icons: Annotated[
        Path | None, typer.Option("--icons", help="a node_modules with iconify and emojibase")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--folder", help="pictures, each beside a .txt of captions")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="where the packed corpora go")] = CORPUS,
    scenes: Annotated[int, typer.Option("--scenes", help="generated pictures of shapes")] = 2000,
    redrawn: Annotated[int, typer.Option("--redrawn", help="icons re-drawn as strokes")] = 3000,
    portraits: Annotated[int, typer.Option("--portraits", help="painted portraits")] = 4000,
    composed: Annotated[
        int, typer.Option("--compositions", help="icons and shapes in colours and places")
    ] = 24_000,
    large: Annotated[
        bool, typer.Option("--large", help="large.npy too: of 256 pixels, for `train upsampler`")
    ] = False,
    seed: Annotated[int, typer.Option("--seed")] = 0,
) -> None:
    """Render and pack a training corpus: from icon sets, or from a folder of captioned pictures."""
    from limner.training import compositions, folders, large_pictures
    from limner.training import icons as icon_sets
    from limner.training import scenes as generated
    from limner.training.portraits import corpus as painted

    if folder is not None and icons is None:
        packed = {"train": folders.read_folder(folder)}
    elif icons is None or folder is not None:
        raise LimnerError(ErrorCode.BAD_INPUT, "Name either --icons or --folder.")
    else:
        made = icon_sets.read_icons(icons)
        packed = {
            "icons": made,
            "unseen": icon_sets.read_icons(icons, (icon_sets.TEST_SET,)),
            "scenes": generated.scenes(scenes, seed),
            "redrawn": generated.redrawn(made, redrawn, seed),
            "portraits": painted.portraits(portraits, seed),
            "compositions": compositions.compositions(made, composed, seed),
            "held-out": compositions.compositions(made, HELD_OUT, seed, held_out=True),
        }
    if large and icons is not None:
        large_pictures.pack(out / "large.npy", icons, seed=seed)
    for name, part in packed.items():
        part.save(out / name)
        typer.echo(f"{out / name}: {len(part.facts)} pictures")


def clip(
    corpora: Annotated[
        list[Path] | None, typer.Option("--corpus", help="a packed corpus; may be repeated")
    ] = None,
    out: Annotated[Path, typer.Option("--out", help="checkpoint and weights")] = Path(
        ".cache/clip"
    ),
    steps: Annotated[int, typer.Option("--steps")] = 16000,
    batch: Annotated[int, typer.Option("--batch")] = 64,
    rate: Annotated[float, typer.Option("--rate", help="learning rate")] = 1e-3,
    attack: Annotated[
        float, typer.Option("--attack", help="L2 length of the adversarial step; 0 for none")
    ] = 1.25,
    tower: Annotated[
        str, typer.Option("--tower", help="starter | judge | portraits | scenes | scenes-judge")
    ] = "starter",
    seed: Annotated[int, typer.Option("--seed")] = 0,
    start: Annotated[
        str | None, typer.Option("--start", help="a model to begin from: starter, or a folder")
    ] = None,
    scribbles: Annotated[
        float, typer.Option("--scribbles", help="part of a batch that are its own drawings")
    ] = 0.2,
    restyle: Annotated[
        float, typer.Option("--restyle", help="part of a batch that is shown in another hand")
    ] = 0.35,
    bf16: Annotated[bool, typer.Option("--bf16", help="train in bfloat16")] = False,
    sam: Annotated[
        float, typer.Option("--sam", min=0, help="sharpness-aware: 0.1 for unCLIP; 0 for none")
    ] = 0.0,
    aligned: Annotated[
        bool, typer.Option("--aligned", help="show pictures nearly whole, as generators make them")
    ] = False,
    generator: Annotated[
        str | None,
        typer.Option("--generator", help="whose pictures these are: it will read their edits"),
    ] = None,
    evaluate: Annotated[
        bool, typer.Option("--evaluate", help="measure a model instead: retrieval and drawing")
    ] = False,
    model: Annotated[str | None, typer.Option("--model", help="the model to measure")] = None,
    judge: Annotated[
        Path, typer.Option("--judge", help="the folder of the judge", show_default="starter/judge")
    ] = JUDGE,
    unseen: Annotated[
        Path, typer.Option("--unseen", help="a packed corpus that nothing was trained on")
    ] = CORPUS / "unseen",
    labels: Annotated[int, typer.Option("--labels", help="how many labels to draw")] = 100,
    as_json: Annotated[bool, typer.Option("--json", help="print figures as JSON")] = False,
) -> None:
    """Train a small CLIP (goes on from a checkpoint in --out), or measure one with --evaluate."""
    if evaluate:
        figures = _evaluate(model, judge, unseen, labels, out)
        for key, value in figures.items():
            if not as_json:
                typer.echo(f"{key}: {value}")
        if as_json:
            typer.echo(json.dumps(figures))
        return
    from limner.training import clip as training
    from limner.training.corpora import join, load

    if tower not in training.TOWERS or steps < 1 or batch < 2 or rate <= 0 or attack < 0:
        raise LimnerError(ErrorCode.BAD_INPUT, "A training setting is out of bounds; see --help.")
    named = corpora or [CORPUS / name for name in ("icons", "scenes", "redrawn", "portraits")]
    settings = training.Settings(
        tower=tower, steps=steps, batch=batch, rate=rate, attack=attack, seed=seed,
        start=str(find(start).weights) if start else "", scribbles=scribbles,
        restyle=restyle, aligned=aligned, bf16=bf16, sam=sam,
    )  # fmt: skip
    trainer = training.Trainer(settings, join([load(path) for path in named]), out)
    if trainer.resume():
        typer.echo(f"going on from step {trainer.step}", err=True)
    trainer.run(training.timed_report(steps))
    if generator:
        card = {"name": out.name, "generator": generator}
        (out / "card.json").write_text(json.dumps(card, indent=1) + "\n", encoding="utf-8")
    typer.echo(f"{out / 'model.safetensors'}")


def _evaluate(
    name: str | None, judge_folder: Path, unseen: Path, count: int, out: Path
) -> dict[str, float]:
    from limner.training import evaluate
    from limner.training.corpora import load

    judge_model = at(judge_folder, "judge")
    if judge_model is None:
        raise LimnerError(
            ErrorCode.UNKNOWN_MODEL,
            "There is no judge.",
            "Train one: limner train clip --tower judge.",
        )
    device = best_device()
    model, judge = Clip(find(name), device), Clip(judge_model, torch.device("cpu"))
    corpus = load(unseen)
    named = evaluate.retrieval(model, corpus)
    by_judge = evaluate.retrieval(judge, corpus)
    names, everything = evaluate.drawn_labels(corpus, count), evaluate.labels(corpus)
    drawings = evaluate.draw_all(
        model, names, lambda n, r: typer.echo(f"{n}: {r.score:.3f}", err=True),
        strokes=64, steps=200,
    )  # fmt: skip
    ranking = evaluate.judged(judge, drawings, names, everything)
    out.mkdir(parents=True, exist_ok=True)
    evaluate.contact_sheet(drawings, names, ranking, out / "drawings.png")
    return {
        "labels": len(everything),
        "retrieval top-1": round(named.top(1), 4),
        "retrieval top-5": round(named.top(5), 4),
        "judge's retrieval top-1": round(by_judge.top(1), 4),
        "judge's retrieval top-5": round(by_judge.top(5), 4),
        "drawings": len(names),
        "drawn recognition top-1": round(ranking.top(1), 4),
        "drawn recognition top-5": round(ranking.top(5), 4),
        "drawn recognition median rank": ranking.median,
    }
