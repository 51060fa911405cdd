"""The event system of one machine, without a server: one SQLite file, and bells that wake."""

from __future__ import annotations

from lymph.events._embedded.system import EmbeddedEventSystem

__all__ = ['EmbeddedEventSystem']
