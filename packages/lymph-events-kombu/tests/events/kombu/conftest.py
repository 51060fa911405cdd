"""What the tests of both brokers use."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gevent
import pytest


@pytest.fixture
def in_thread() -> Callable[..., Any]:
    """Run what blocks in a thread, so that the greenlets of the test go on."""
    pool: Any = gevent.get_hub().threadpool

    def run(function: Callable[..., Any], *args: Any) -> Any:
        return pool.apply(function, args)

    return run
