"""The contracts of backends, as tests: one suite for each kind of backend."""

from __future__ import annotations
