"""Settings held to a method's JSON Schema before a job is queued, with the reason in words.

The worker checks them again, with the method's own class; here the artist learns at once, without
a worker, that a job would be refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from jsonschema import Draft202012Validator, ValidationError

from limner_wire.errors import ErrorCode, LimnerError


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
