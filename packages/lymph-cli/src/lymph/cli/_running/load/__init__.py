"""`lymph request` as a load generator."""

from __future__ import annotations
