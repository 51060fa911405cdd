"""What events cost."""

from __future__ import annotations
