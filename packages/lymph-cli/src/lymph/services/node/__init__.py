"""The node: runs the instances that a configuration names and keeps them running."""

from __future__ import annotations

from lymph.services.node.interface import Node

__all__ = ['Node']
