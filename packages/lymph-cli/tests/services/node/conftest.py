"""A fleet of the node that runs in this process."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any

import gevent
import pytest

from lymph.services.node._fleet.definitions import Definition
from lymph.services.node._fleet.fleet import Fleet
from lymph.services.node._fleet.supervision import Policy
from lymph.testing.waiting import eventually

PATIENCE = 30.0

#: Soon enough for a test, and long enough for a busy machine where something has to live.
QUICK = Policy(
    stable_after=30,
    first_delay=0.01,
    longest_delay=0.02,
    failing_after=3,
    failed_delay=0.05,
    ready_after=0.01,
    ready_timeout=PATIENCE,
)


class Node:
    """A running fleet for a test."""

    policy = QUICK

    def __init__(self) -> None:
        self._runs: gevent.Greenlet[[], bool] | None = None
        self.fleet: Fleet = None  # type: ignore[assignment]  # until it is started

    def start(self, *definitions: Definition, **options: Any) -> Fleet:
        options = {'policy': QUICK, 'environ': os.environ, 'patience': PATIENCE, **options}
        self.fleet = Fleet(definitions, **options)
        self._runs = gevent.spawn(self.fleet.run)
        return self.fleet

    def end(self) -> bool:
        assert self._runs is not None
        return self._runs.get(timeout=PATIENCE)

    def stop(self) -> bool:
        self.fleet.stop()
        return self.end()

    def said(self, text: str) -> None:
        """Wait until a line of the node or of a process contains a text."""

        def lines() -> list[str]:
            return [line.text for line in self.fleet.output.recent.newest(1000, None)]

        eventually(lambda: any(text in line for line in lines()), PATIENCE, lambda: str(lines()))

    def close(self) -> None:
        if self._runs is not None and not self._runs.ready():
            self.fleet.stop()
            self.fleet.stop()
            self._runs.join(PATIENCE)


@pytest.fixture
def node() -> Iterator[Node]:
    node = Node()
    yield node
    node.close()
