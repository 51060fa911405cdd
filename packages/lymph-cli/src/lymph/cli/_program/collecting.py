"""No garbage collection while a command starts.

What is imported stays. Python would look through all of it again and again while it grows, and once
more when the process ends: a fifth of the time that `lymph --help` takes.

Nothing but the standard library is imported here.
"""

from __future__ import annotations

import gc

__all__ = ['collect_again', 'collect_later']


def collect_later() -> None:
    """Collect no garbage until `collect_again` is called."""
    gc.disable()


def collect_again() -> None:
    """Collect garbage as always, but look no more at what has been made by now."""
    if not gc.isenabled():
        gc.freeze()
        gc.enable()
