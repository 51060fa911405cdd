"""The registry of one machine, without a server: files that are locked while their owners live."""

from __future__ import annotations

from lymph.discovery._embedded.registry import EmbeddedServiceRegistry

__all__ = ['EmbeddedServiceRegistry']
