"""The pytest plugin of lymph: makes the fixtures of `lymph.testing` known, and loads them only when used.

It is imported by every pytest run of an environment that has lymph-testing, so it imports nothing itself.
"""

from __future__ import annotations

__all__: list[str] = []
