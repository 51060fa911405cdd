"""The title of a process, which `ps` and `top` show."""

from __future__ import annotations

import contextlib
import sys

from lymph.cli.output import one_line

try:
    import setproctitle
except Exception:  # noqa: BLE001 - it is compiled: whatever is wrong with it, a title is no need
    setproctitle = None  # type: ignore[assignment]

__all__ = ['set_title']

_LONGEST = 200  # characters
_COMMAND = 'lymph'  # what `pgrep -x` and `top` know the process by


def set_title(title: str) -> None:
    """Show this title for the process, where the platform can; never raises.

    It takes the place of the command line, and of the environment that the process began with.
    """
    with contextlib.suppress(Exception):
        setproctitle.setproctitle(one_line(title, _LONGEST))
        if sys.platform == 'linux':
            setproctitle.setthreadtitle(_COMMAND)
