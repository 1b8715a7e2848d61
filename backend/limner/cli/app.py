"""`limner`: which commands there are, and how failures are told.

Bad input is one line on stderr and exit code 2, with nothing written. A command's module is
imported when that command is called, so that `limner models list` does not wait for torch.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Container, Sequence
from typing import Any

import typer

from limner import __version__
from limner_wire.errors import ErrorCode, LimnerError

COMMANDS = {  # name: (module, what it does)
    "draw": ("limner.cli.draw", "Draw a prompt with strokes."),
    "style": ("limner.cli.draw", "Draw a prompt in the style of a picture."),
    "draw3d": ("limner.cli.draw", "Draw a prompt in space, to be seen from all round."),
    "trace": ("limner.cli.draw", "Make a picture into strokes."),
    "edit": ("limner.cli.edit", "Change a picture with words."),
    "imagine": ("limner.cli.imagine", "Paint a picture from words, or from other pictures."),
    "run": ("limner.cli.run", "Run any method by its name, yours too."),
    "sample": ("limner.cli.edit", "Paint random pictures with a generator."),
    "adapt": ("limner.cli.adapt", "Teach a generator a domain that exists only in words."),
    "score": ("limner.cli.score", "Say how well each text fits a picture."),
    "batch": ("limner.cli.batch", "Draw all that a file asks for: prompts x seeds x methods."),
    "serve": ("limner.cli.serve", "Serve Krita, Blender and the browser on this machine."),
    "open": ("limner.cli.serve", "Open the page of the backend that runs."),
    "jobs": ("limner.cli.jobs", "List, show, watch, cancel and export drawings."),
    "models": ("limner.cli.models", "List, fetch and add models."),
    "train": ("limner.cli.train", "Train the starter models on pictures of your own."),
    "bench": ("limner.cli.bench", "Measure this machine."),
    "install": ("limner.cli.install", "Put the plugin into Krita or Blender."),
    "doctor": ("limner.cli.doctor", "Say what is here, what is missing, and how to get it."),
}
INTERRUPTED = 130

# typer carries click inside it from 0.2x on, and stood on the package before: this is either's.
UsageError: Any = typer.BadParameter.__base__
ClickException: Any = UsageError.__base__


def build(names: Container[str]) -> typer.Typer:
    """The program, with the commands `names` in full and the others as lines of the help."""
    app = typer.Typer(
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        help="Text-guided drawing, live, inside the programs where artists work.",
    )
    app.callback()(_root)
    for command, (module, help_text) in COMMANDS.items():
        if command in names:
            importlib.import_module(module).register(app, command)
        else:
            app.command(command, help=help_text)(_not_called)
    return app


def _not_called() -> None:
    raise AssertionError("a command that was not named was called")


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"limner {__version__}")
        raise typer.Exit


def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None:
    pass


def main(argv: Sequence[str] | None = None) -> None:
    """Run one command and leave with its exit code."""
    sys.exit(run(list(sys.argv[1:] if argv is None else argv)))


def run(argv: list[str]) -> int:
    """Run one command; the exit code is 0, 2 for bad input, 130 when the user stopped it."""
    name = next((word for word in argv if not word.startswith("-")), "")
    try:
        code: Any = build([name])(args=argv, prog_name="limner", standalone_mode=False)
        return int(code or 0)
    except LimnerError as problem:
        return _complain(str(problem), 1 if problem.code is ErrorCode.NOT_FINITE else 2)
    except ClickException as problem:
        return _complain(problem.format_message() or "What should it do? See --help.", 2)
    except (KeyboardInterrupt, typer.Abort):
        return _complain("Stopped.", INTERRUPTED)
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0


def _complain(message: str, code: int) -> int:
    print(f"limner: {' '.join(message.split())}", file=sys.stderr)
    return code
