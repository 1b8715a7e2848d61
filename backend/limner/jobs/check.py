"""What is asked for, held to what there is before it is queued, with the reason in words.

Settings are held to the method's JSON Schema. The worker checks them again, with the method's own
class; here the artist learns at once, without a worker, that a job would be refused.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from limner_wire.errors import ErrorCode, LimnerError
from limner_wire.messages import Submit

Rows = Iterable[Mapping[str, Any]]


def check_submit(
    submit: Submit, methods: Rows, models: Rows, has_blob: Callable[[str], bool]
) -> None:
    """Pass if a job can be done with what there is.

    Args:
        methods, models: as the welcome tells them.
        has_blob: whether an input has arrived.

    Raises:
        LimnerError: for the first thing that is missing, unknown or out of bounds.
    """
    known = {row["name"]: row for row in methods}
    method = known.get(submit.method)
    if method is None:
        raise LimnerError(
            ErrorCode.UNKNOWN_METHOD,
            f"There is no method {submit.method!r}.",
            f"There are: {', '.join(known)}.",
        )
    check(method["schema"], submit.params)
    _check_inputs(submit.inputs, method, has_blob)
    _check_models(submit.models, sorted(row["name"] for row in models))


def _check_inputs(
    given: Mapping[str, Any], method: Mapping[str, Any], has_blob: Callable[[str], bool]
) -> None:
    for role, sha in given.items():
        if role not in method["inputs"]:
            words = f"{method['title']!r} takes no input {role[:40]!r}."
            raise LimnerError(ErrorCode.BAD_INPUT, words)
        if not isinstance(sha, str) or not has_blob(sha):
            words = f"The input {role!r} has not arrived."
            raise LimnerError(ErrorCode.UNKNOWN_BLOB, words, "Send it again.")
    if missing := [role for role in method["needs"] if role not in given]:
        words = f"{method['title']!r} needs a picture: the input {missing[0]!r}."
        raise LimnerError(ErrorCode.BAD_INPUT, words, "Give it one.")


def _check_models(names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        own, at, weight = name.partition("@")
        if own not in known:
            words = f"There is no model {name!r} on this machine."
            raise LimnerError(ErrorCode.UNKNOWN_MODEL, words, f"There are: {', '.join(known)}.")
        if at and not _is_weight(weight):  # else the worker would take all of it for a name
            raise LimnerError(ErrorCode.BAD_INPUT, "A model's weight must be above 0.")


def _is_weight(text: str) -> bool:
    try:
        return 0 < float(text) < math.inf
    except ValueError:
        return False


def check(schema: Mapping[str, Any], given: Mapping[str, Any]) -> None:
    """Pass if the settings are as the schema asks.

    Raises:
        LimnerError: BAD_INPUT, for the first that is not.
    """
    problem = next(Draft202012Validator(schema).iter_errors(given), None)
    if problem is not None:
        raise LimnerError(ErrorCode.BAD_INPUT, _words(problem, schema, given))


def check_adjustment(schema: Mapping[str, Any], change: Mapping[str, Any]) -> None:
    """Pass if the settings may be changed so while the method runs.

    Raises:
        LimnerError: BAD_INPUT.
    """
    check({**schema, "required": []}, change)
    for name in change:
        if not schema["properties"][name].get("x-adjustable"):
            raise LimnerError(ErrorCode.BAD_INPUT, f"{_said(name)} can't change while it runs.")


def _words(problem: ValidationError, form: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    rows, needed = form["properties"], form["required"]
    if problem.validator == "additionalProperties":
        strange = sorted(set(given) - set(rows))
        return f"There is no setting {strange[0][:40]!r}."
    if problem.validator == "required":
        missing = next(name for name in needed if name not in given)
        return f"The setting {missing!r} is missing."
    name = str(problem.absolute_path[0])
    limit: Any = problem.validator_value
    row: Any = problem.schema
    match problem.validator:
        case "minimum" | "maximum":
            unit = f" {rows[name]['x-unit']}" if "x-unit" in rows[name] else ""
            low, high = row["minimum"], row["maximum"]
            reason = f"must lie between {low:g} and {high:g}{unit}, not {problem.instance:g}."
        case "enum":
            reason = f"can't be {str(problem.instance)[:40]!r}; it can be {', '.join(limit)}."
        case "type":
            reason = f"must be of the kind {limit}."
        case "maxLength":
            reason = f"may have {limit} characters."
        case "maxItems":
            reason = f"may have {limit} entries."
        case _:
            reason = "is not as it should be."
    return f"{_said(name)} {reason}"


def _said(name: str) -> str:
    return name.replace("_", " ")
