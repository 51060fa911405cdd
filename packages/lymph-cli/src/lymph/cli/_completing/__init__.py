"""What a shell offers behind `lymph`: scripts, answers to them, and names of services."""

from __future__ import annotations
