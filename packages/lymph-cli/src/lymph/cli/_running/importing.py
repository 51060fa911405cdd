"""Lets the configuration of an instance name classes of the current folder."""

from __future__ import annotations

import os
import sys

__all__ = ['import_from_here']


def import_from_here() -> None:
    """Put the current folder behind all others on sys.path, unless PYTHONSAFEPATH or -P is set.

    Behind them, since what happens to lie there must not replace a module of Python or of an
    installed distribution. Commands that only ask do not call this: they work in any folder. One
    that was deleted has nothing to import.
    """
    # Python 3.10 knows neither the flag nor the variable.
    safe = getattr(sys.flags, 'safe_path', False) or os.environ.get('PYTHONSAFEPATH')
    try:
        folder = os.getcwd()
    except FileNotFoundError:
        return
    if not safe and folder not in sys.path:
        sys.path.append(folder)
