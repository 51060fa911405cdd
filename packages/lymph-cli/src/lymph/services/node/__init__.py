"""The node: runs the instances that a configuration names and keeps them running."""

from __future__ import annotations

from lymph.services.node._steering.interface import Node

__all__ = ['Node']
