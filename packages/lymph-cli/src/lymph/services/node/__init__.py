"""The node: runs the instances that a configuration names and keeps them running."""

from __future__ import annotations
