"""Command-line options made from a method's `Params`, so that no setting is written twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Annotated, Any, get_args, get_origin

import typer

from limner.methods.params import Setting, settings


def with_settings(
    function: Callable[..., Any], params: type[Any], skip: tuple[str, ...] = ()
) -> Callable[..., Any]:
    """The function with an option for each setting, which it receives in `given`.

    Args:
        function: takes its own parameters and `given: dict[str, Any]`, the settings that the
            user named; the others are for the model's recipe or the defaults to say.
        params: the settings.
        skip: settings that the function handles itself.
    """
    own = [p for p in inspect.signature(function, eval_str=True).parameters.values()
           if p.name != "given"]  # fmt: skip
    made = [s for s in settings(params) if s.name not in skip]
    extra = [
        inspect.Parameter(
            s.name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=_annotation(s)
        )
        for s in made
    ]

    def command(**values: Any) -> Any:
        given = {s.name: values.pop(s.name) for s in made}
        named = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
        return function(**values, given={k: v for k, v in named.items() if v not in (None, ())})

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + extra
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def _annotation(setting: Setting) -> Any:
    flag = "--" + setting.name.replace("_", "-")
    kind = list[str] if get_origin(setting.kind) is tuple else setting.kind
    names = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag]
    return Annotated[kind | None, typer.Option(*names, help=_help(setting), show_default=False)]


def _help(setting: Setting) -> str:
    words = [setting.help.text]
    if setting.choice:
        words.append(" | ".join(setting.choice.values))
    if get_args(setting.kind):
        words.append("may be repeated")
    if setting.range:
        unit = f" {setting.help.unit}" if setting.help.unit else ""
        words.append(f"{setting.range.low:g} to {setting.range.high:g}{unit}")
    if isinstance(setting.default, str):
        words.append(f"default {setting.default}")
    elif setting.default not in ((), False, True):
        words.append(f"default {setting.default:g}")
    elif setting.default is True:
        words.append("on unless --no-… is given")
    return "; ".join(words)
