"""Faults on demand, for tests of what survives them."""

from __future__ import annotations
