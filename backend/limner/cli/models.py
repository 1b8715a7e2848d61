"""`limner models`: which there are, and how they come onto this machine."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from limner.models import catalog


def register(app: typer.Typer, name: str) -> None:
    """Put the commands into the program."""
    group = typer.Typer(no_args_is_help=True)
    group.command("list")(show)
    group.command("pull")(pull)
    group.command("add")(add)
    app.add_typer(group, name=name, help="List, fetch and add models.")


def show(
    as_json: Annotated[bool, typer.Option("--json", help="print JSON, and nothing else")] = False,
) -> None:
    """List the models on this machine and those that can be fetched; the best for drawing first."""
    here = {m.name: m for m in catalog.installed()}
    vgg = catalog.vgg16()
    rows = [
        {"name": m.name, "here": True, "draws": m.draws, "licence": m.card.get("licence", ""),
         "note": m.card.get("note", ""), "size_mb": round(m.weights.stat().st_size / 1e6)}
        for m in here.values()
    ] + [
        {"name": p.name, "here": False, "draws": p.draws, "licence": p.licence, "note": p.note,
         "size_mb": p.size_mb}
        for p in catalog.PUBLISHED if p.name not in here
    ] + [
        {"name": p.name, "here": vgg is not None, "draws": p.draws, "licence": p.licence,
         "note": p.note, "size_mb": round(vgg.stat().st_size / 1e6) if vgg else p.size_mb}
        for p in (catalog.VGG16,)
    ]  # fmt: skip
    rows.sort(key=lambda r: -int(str(r["draws"])))
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False))
        return
    table = Table("model", "here", "draws (0-9)", "MB", "licence", "note", box=None)
    for row in rows:
        cells = [row["name"], "yes" if row["here"] else "no", row["draws"], row["size_mb"]]
        table.add_row(*[str(c) for c in cells], str(row["licence"]), str(row["note"]))
    Console().print(table)


def pull(
    name: Annotated[str, typer.Argument(help="a model of the list, or hf-hub:OWNER/NAME")],
) -> None:
    """Fetch a published model: the one command that asks the network for weights."""
    from limner.models import store

    model = store.resolve(name)
    typer.echo(f"{model.name}: licence {model.licence}", err=True)
    typer.echo(f"{store.pull(model)}")


def add(
    path: Annotated[Path, typer.Argument(help="a weights file, or a folder as open_clip has it")],
    name: Annotated[str | None, typer.Option("--name", help="what to call it")] = None,
    arch: Annotated[
        str | None, typer.Option("--arch", help="for a weights file: open_clip's network name")
    ] = None,
) -> None:
    """Add a model that you have as a file or folder."""
    from limner.models import store

    typer.echo(f"{store.add(path, name, arch)}")
