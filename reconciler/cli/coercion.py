"""Words of the command line as values. The parser's own way imports pydantic for a number or a yes, which
would double the time of a quick command.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import typer

_WORDS = {
    "1": True,
    "true": True,
    "yes": True,
    "on": True,
    "0": False,
    "false": False,
    "no": False,
    "off": False,
}


class Coercion:
    """Turns what was written for one parameter into what its verb takes."""

    def __init__(self, parameter: Any) -> None:
        described = parameter.type_descriptor
        self._choices: tuple[str, ...] = described.choices or ()
        self._turn = _TURNS.get(described.annotation, str)
        self._minimum = getattr(parameter, "min", None)

    def coerce(self, value: Any, param: Any, ctx: Any) -> Any:
        """One value, or each of several; `BadParameter` says what is wrong with which."""
        several = param.multiple or param.nargs == -1
        if value is None:
            return () if several else None
        try:
            return [self._one(item) for item in value] if several else self._one(value)
        except ValueError as error:
            raise typer.BadParameter(str(error), ctx=ctx, param=param) from error

    def _one(self, value: Any) -> Any:
        if self._choices:
            return _choice(value, self._choices)
        turned = self._turn(value)
        if self._minimum is not None and turned < self._minimum:
            raise ValueError(f"'{value}' is too small; the least is {self._minimum:g}.")
        return turned


def light(parameter: Any) -> Any:
    """The parameter, reading its words in this way instead of one that it would make at its first use."""
    parameter._runtime_param = Coercion(parameter)  # noqa: SLF001 - there is no public door to it
    return parameter


def _choice(value: Any, choices: tuple[str, ...]) -> str:
    for choice in choices:
        if value == choice:
            return choice
    raise ValueError(f"'{value}' is none of {', '.join(choices)}.")


def _boolean(value: Any) -> bool:
    word = str(value).strip().lower()
    if word in _WORDS:
        return _WORDS[word]
    raise ValueError(f"'{value}' is neither true nor false.")


def _whole(value: Any) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise ValueError(f"'{value}' is not a whole number.") from error


def _number(value: Any) -> float:
    try:
        number = float(value)
    except ValueError as error:
        raise ValueError(f"'{value}' is not a number.") from error
    if not math.isfinite(number):
        raise ValueError(f"'{value}' is not a finite number.")
    return number


_TURNS: Mapping[Any, Callable[[Any], Any]] = {bool: _boolean, int: _whole, float: _number, Path: Path}
