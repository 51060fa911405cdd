"""Lets a configuration name classes of the current folder, as `python -m` would find them."""

from __future__ import annotations

import os
import sys

__all__ = ['import_from_here']


def import_from_here() -> None:
    """Put the current folder before all others on sys.path."""
    folder = os.getcwd()
    if folder not in sys.path:
        sys.path.insert(0, folder)
