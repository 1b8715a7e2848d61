"""Command-line options made from a method's `Params`, so that no setting is written twice."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Annotated, Any, get_args, get_origin

import typer

from limner.methods.params import Setting, settings


def with_settings(
    function: Callable[..., Any],
    params: type[Any] | Mapping[str, type[Any]],
    skip: tuple[str, ...] = (),
) -> Callable[..., Any]:
    """The function with an option for each setting, which it receives in `given`.

    Args:
        function: takes its own parameters and `given: dict[str, Any]`, the settings that the
            user named; the others are for the model's recipe or the defaults to say.
        params: the settings; or those of several methods that the function chooses among, each by
            the name that the command line has for it.
        skip: settings that the function handles itself.
    """
    ways = params if isinstance(params, Mapping) else {"": params}
    own = [p for p in inspect.signature(function, eval_str=True).parameters.values()
           if p.name != "given"]  # fmt: skip
    made: dict[str, dict[str, Setting]] = {}
    for way, each in ways.items():
        for s in settings(each):
            if s.name not in skip:
                made.setdefault(s.name, {})[way] = s
    extra = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=None,
            annotation=_annotation(some, len(ways)),
        )
        for name, some in made.items()
    ]  # fmt: skip

    def command(**values: Any) -> Any:
        given = {name: values.pop(name) for name in made}
        named = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
        return function(**values, given={k: v for k, v in named.items() if v not in (None, ())})

    parameters = [p.replace(kind=inspect.Parameter.KEYWORD_ONLY) for p in own] + extra
    command.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    command.__annotations__ = {p.name: p.annotation for p in parameters}
    command.__name__, command.__doc__ = function.__name__, function.__doc__
    return command


def _annotation(some: Mapping[str, Setting], ways: int) -> Any:
    """An option for a setting, as each of the methods that have it knows it."""
    setting = next(iter(some.values()))
    flag = "--" + setting.name.replace("_", "-")
    kind = list[str] if get_origin(setting.kind) is tuple else setting.kind
    names = [f"{flag}/--no-{flag[2:]}"] if kind is bool else [flag]
    told = dict[str, list[str]]()
    for way, one in some.items():
        told.setdefault(_help(one), []).append(way)
    is_of_all = len(told) == 1 and len(some) == ways
    each = [words if is_of_all else f"{', '.join(of)}: {words}" for words, of in told.items()]
    return Annotated[kind | None, typer.Option(*names, help=" | ".join(each), show_default=False)]


def _help(setting: Setting) -> str:
    words, default = [setting.help.text], setting.default
    if setting.choice:
        words.append(" | ".join(setting.choice.values))
    if get_args(setting.kind):
        words.append("may be repeated")
    if setting.range:
        unit = f" {setting.help.unit}" if setting.help.unit else ""
        words.append(f"{_number(setting.range.low)} to {_number(setting.range.high)}{unit}")
    if default is True:
        words.append("on unless --no-… is given")
    elif isinstance(default, int | float) and default is not False:
        words.append(f"default {_number(default)}")
    elif isinstance(default, str) and default:
        words.append(f"default {default}")
    return "; ".join(words)


def _number(value: float) -> str:
    return str(value) if isinstance(value, int) else f"{value:g}"
