"""Shared by the tests of both brokers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest


@pytest.fixture
def in_thread() -> Callable[..., Any]:
    """Run a blocking function in a thread, so that the greenlets of the test continue."""
    pool: Any = gevent.get_hub().threadpool

    def run(function: Callable[..., Any], *args: Any) -> Any:
        return pool.apply(function, args)

    return run
