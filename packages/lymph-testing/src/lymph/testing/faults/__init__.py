"""Faults on demand: of connections, of name servers and of whole hosts."""

from __future__ import annotations
