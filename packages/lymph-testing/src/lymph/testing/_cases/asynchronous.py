"""Assertions about conditions that become true after a while."""

from __future__ import annotations

from collections.abc import Callable

from lymph.testing.waiting import eventually

__all__ = ['AsyncTestsMixin']


class AsyncTestsMixin:
    """Adds assertions that wait, cooperatively, to a test case of any kind."""

    def assert_eventually_true(
        self, check: Callable[[], object], timeout: float = 5.0, message: str = ''
    ) -> None:
        """Fail unless `check()` becomes true within `timeout` seconds (default 5).

        `message` is what the failure says in place of the name of `check`.
        """
        eventually(check, timeout, message)

    def assert_eventually_equal(
        self, get: Callable[[], object], expected: object, timeout: float = 5.0
    ) -> None:
        """Fail unless `get()` becomes equal to `expected` within `timeout` seconds (default 5)."""

        def is_equal() -> bool:
            value = get()
            assert value == expected, f'expected {expected!r}, found {value!r}'
            return True

        eventually(is_equal, timeout, lambda: f'{get!r} == {expected!r}')
