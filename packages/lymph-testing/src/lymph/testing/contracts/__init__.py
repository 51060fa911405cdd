"""What every backend has to do, as tests that its author runs: one suite for each contract."""

from __future__ import annotations
