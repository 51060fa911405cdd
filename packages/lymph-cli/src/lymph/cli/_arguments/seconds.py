"""A length of time as written on a command line: `2.5`, `500ms`, `30s`, `5min`."""

from __future__ import annotations

import re
from typing import Any

import click

from lymph.config.printable import quoted

__all__ = ['Seconds']

_TIME = re.compile(
    r'([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:e([+-]?[0-9]{1,3}))? ?(ms|s|min|m|h|d)?', re.IGNORECASE
)
_UNITS = {'ms': 0.001, 's': 1, 'm': 60, 'min': 60, 'h': 3600, 'd': 86400}


class Seconds(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions
    """A number of seconds up to `most`, or of what its unit says; `positive`: more than zero."""

    name = 'seconds'

    def __init__(self, most: float, *, positive: bool = True) -> None:
        self.most = most
        self.positive = positive

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the seconds; fails for any other text."""
        # click converts the default of an option too, and it is a number.
        if isinstance(value, (int, float)):
            return float(value)
        match = _TIME.fullmatch(value.strip())
        if match is None:
            self.fail(
                f'expected a time like 2.5, 500ms, 30s or 5min, found {quoted(value)}', param, ctx
            )
        number, exponent, unit = match.groups()
        seconds = float(f'{number}e{exponent or 0}') * _UNITS[(unit or 's').lower()]
        if seconds > self.most or (self.positive and not seconds):
            least = 'more than 0' if self.positive else 'from 0'
            self.fail(
                f'expected {least} and up to {self.most:.15g} s, found {quoted(value)}', param, ctx
            )
        return seconds
