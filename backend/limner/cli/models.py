"""`limner models`: which there are, and how they come onto this machine."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table

from limner.models import catalog, networks
from limner_wire.errors import ErrorCode, LimnerError


def register(app: typer.Typer, name: str) -> None:
    """Put the commands into the program."""
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(show)
    group.command("pull")(pull)
    for command in (add, mix, export):
        group.command(command.__name__)(command)
    app.add_typer(group, name=name, help="List, fetch, add, mix and export models.")


def show(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """List the models on this machine and those that can be fetched; the best for drawing first.

    Behind them come generators of pictures, and what belongs to them.
    """
    here = {m.name: m for m in catalog.installed()}
    vgg = catalog.vgg16()
    rows = [_row(m.name, "clip", m.weights, m.card, m.draws) for m in here.values()]
    rows += [_to_fetch(p, "clip") for p in catalog.PUBLISHED if p.name not in here]
    facts = {"licence": catalog.VGG16.licence, "note": catalog.VGG16.note}
    known = catalog.VGG16.name, "features"
    rows += [_row(*known, vgg, facts) if vgg else _to_fetch(catalog.VGG16, "features")]
    own = networks.installed()
    rows += [_row(n.name, n.kind, n.weights, n.card) for n in own]
    names = {n.name for n in own}
    rows += [_to_fetch(p, "unclip") for p in catalog.PIPELINES if f"{p.name}-decoder" not in names]
    rows.sort(key=lambda row: -row["draws"])
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("model", "kind", "here", "draws (0-9)", "MB", "licence", "note", box=None)
    for row in rows:
        draws = row["draws"] if row["kind"] == "clip" else ""
        here_too = "yes" if row["here"] else "no"
        cells = [row["name"], row["kind"], here_too, draws, row["size_mb"]]
        table.add_row(*[str(c) for c in cells], str(row["licence"]), str(row["note"]))
    Console().print(table)


def _row(
    name: str, kind: str, weights: Path, card: Mapping[str, Any], draws: int = 0
) -> dict[str, Any]:
    size_mb = round(weights.stat().st_size / 1e6)
    told = {"licence": card.get("licence", ""), "note": card.get("note", "")}
    return {"name": name, "kind": kind, "here": True, "draws": draws, **told, "size_mb": size_mb}


def _to_fetch(model: catalog.Published | catalog.Pipeline, kind: str) -> dict[str, Any]:
    facts = {"licence": model.licence, "note": model.note, "size_mb": model.size_mb}
    draws = 0 if isinstance(model, catalog.Pipeline) else model.draws
    return {"name": model.name, "kind": kind, "here": False, "draws": draws, **facts}


def pull(
    name: Annotated[str, typer.Argument(help="a model of the list, or hf-hub:OWNER/NAME")],
    yes: Annotated[
        bool, typer.Option("--yes", help="don't ask before an unCLIP of many files is fetched")
    ] = False,
) -> None:
    """Fetch a published model: the one command that asks the network for weights."""
    from limner.models import store

    model = store.resolve(name)
    if isinstance(model, catalog.Pipeline):
        for folder in _fetched(model, asks=not yes):
            typer.echo(f"{folder}")
        return
    typer.echo(f"{model.name}: licence {model.licence}", err=True)
    typer.echo(f"{store.pull(model)}")


def _fetched(model: catalog.Pipeline, *, asks: bool) -> list[Path]:
    """All that an unCLIP has, once its licence and size were shown and nobody minds."""
    from limner.models.pipelines import fetching

    files = fetching.needed(model)
    total = sum(sum(sizes.values()) for sizes in files.values())
    repositories = " and ".join(files)
    typer.echo(f"{model.name}: licence {model.licence}, from {repositories}", err=True)
    typer.echo(f"{total / 1e9:.1f} GB are fetched, and kept in half precision.", err=True)
    if asks:
        typer.confirm("Fetch it under that licence?", abort=True, err=True)
    return fetching.fetch(model, files, lambda line: typer.echo(line, err=True))


def add(
    path: Annotated[Path, typer.Argument(help="a file of weights or latents, or a model folder")],
    name: Annotated[str | None, typer.Option("--name", help="what to call it")] = None,
    arch: Annotated[
        str | None, typer.Option("--arch", help="for a CLIP's weights: open_clip's network name")
    ] = None,
) -> None:
    """Add a model that you have as a file or folder.

    StyleGAN2 generators (rosinality's .pt, NVIDIA's .pkl of PyTorch and TensorFlow, StyleGAN-NADA's
    and PTI's .pt), e4e and pSp, IR-SE50, StyleCLIP's mappers, directions and latents tell what they
    are. Folders of Karlo, Kandinsky 2.2 and Stable unCLIP as diffusers has them (model_index.json)
    become NAME-prior, NAME-decoder, NAME-upsampler and NAME-clip; a second folder under the same
    name adds what it has. No code of a file is ever run.
    """
    from limner.models import store

    folder = store.add(path, name, arch, lambda line: typer.echo(line, err=True))
    typer.echo(f"{folder}")
    if (network := networks.at(folder)) is not None:
        typer.echo(f"{network.kind}: {network.card.get('note', '')}", err=True)
        if beside := network.card.get("generator"):
            typer.echo(f"with its generator: {beside}", err=True)


def mix(
    generators: Annotated[
        list[str], typer.Argument(help="NAME or NAME@SHARE, which come of one generator")
    ],
    name: Annotated[str, typer.Option("--name", help="what to call it")],
) -> None:
    """Mix generators that `limner adapt` made of one: a new one, between them.

    The shares are brought to a sum of 1; what one of them makes of a latent, the mixture makes of
    it in part.
    """
    from limner.models import stylegan2
    from limner.models.adaptation import mixed
    from limner.models.clip import split_weight

    if not networks.NAME.fullmatch(name):
        raise LimnerError(ErrorCode.BAD_INPUT, f"{name!r} can't be a model's name.", "Use --name.")
    named = [split_weight(text) for text in generators]
    found = [networks.find("generator", one) for one, _ in named]
    roots = {networks.lineage(one.name)[-1] for one in found}
    total = sum(share for _, share in named)
    if len(roots) > 1 or total <= 0:
        words = "Only generators that come of one can be mixed, with shares above 0 in all."
        raise LimnerError(ErrorCode.BAD_INPUT, words, f"These come of {', '.join(sorted(roots))}.")
    shares = [share / total for _, share in named]
    made = mixed([stylegan2.load(one.name) for one in found], shares)
    told = " + ".join(f"{share:.2f} {one.name}" for one, share in zip(found, shares, strict=True))
    licences = " / ".join(dict.fromkeys(str(one.card.get("licence", "")) for one in found))
    card = {"note": told, "parent": roots.pop(), "made": "by `limner models mix`",
            "licence": licences}  # fmt: skip

    def leave(folder: Path) -> object:
        whole = ("mapping.", "w_avg")
        return networks.leave(
            folder, "generator", made.config.to_json(), made.state_dict(), card, whole
        )

    typer.echo(f"{networks.kept(name, leave)}: {told}")


def export(
    name: Annotated[str, typer.Argument(help="a generator")],
    out: Annotated[Path, typer.Argument(help="the .pt to write, in rosinality's layout")],
) -> None:
    """Write a generator as other programs read it: rosinality's layout, with the mean of W."""
    import io

    import torch

    from limner.files import check_writable, write_atomic
    from limner.models import stylegan2
    from limner.models.checkpoints.generators import to_rosinality

    found = networks.find("generator", name)
    check_writable(out)
    file = io.BytesIO()
    torch.save(to_rosinality(stylegan2.load(found.name)), file)
    write_atomic(out, file.getvalue())
    typer.echo(f"{out}")
