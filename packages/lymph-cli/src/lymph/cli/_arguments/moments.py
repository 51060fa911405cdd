"""Points in time as written on a command line: `2h` ago, or a date and time."""

from __future__ import annotations

import re
import time
from datetime import datetime
from typing import Any

import click

__all__ = ['Moment', 'timestamp']

_AGO = re.compile(r'(\d+(?:\.\d+)?) ?(s|min|m|h|d)')
_SECONDS = {'s': 1, 'm': 60, 'min': 60, 'h': 3600, 'd': 86400}


class Moment(click.ParamType):  # type: ignore[type-arg]  # generic in newer versions
    """Unix time in seconds of `30s`, `5min`, `2h` or `3d` ago, or of an ISO 8601 date and time.

    A date and time without a zone is in that of this machine.
    """

    name = 'time'

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Return the time; fails for any other text."""
        if isinstance(value, float):
            return value
        ago = _AGO.fullmatch(value)
        if ago is not None:
            return time.time() - float(ago[1]) * _SECONDS[ago[2]]
        try:
            # Python 3.10 does not know Z
            return datetime.fromisoformat(re.sub('[zZ]$', '+00:00', value)).timestamp()
        except (ValueError, OverflowError):
            self.fail(f'expected 30s, 5min, 2h, 3d or 2024-02-29T12:30, found {value!r}')


def timestamp(moment: float) -> str:
    """Return a Unix time as a date and time of this machine, as `Moment` reads it."""
    try:
        return time.strftime('%Y-%m-%dT%H:%M:%S', time.localtime(moment))
    except (OverflowError, ValueError, OSError):
        return f'{moment}'  # an event may claim any time
