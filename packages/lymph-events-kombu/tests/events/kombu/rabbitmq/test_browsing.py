"""Browsing a queue: each time, all messages are read and stay in it."""

from __future__ import annotations

from collections import deque
from types import SimpleNamespace
from typing import Any

import pytest

from lymph.events.kombu._rabbitmq.browsing import QueueBrowser


class FakeChannel:
    """A channel that passes on deliveries of a quorum queue after its answer to `basic.get`.

    With `late`, the count of the queue does not include what was given back just now.
    """

    def __init__(self, messages: list[str], late: bool) -> None:
        self.callbacks: dict[str, Any] = {}
        self.on_closed = None
        self.given_back = False
        self._late = late
        self._ready = deque(messages)
        self._mailbox: list[str] = []

    def queue_declare(self, queue: str, passive: bool) -> Any:
        self._pass_on()
        return SimpleNamespace(message_count=0 if self._late else len(self._ready))

    def basic_qos(self, size: int, count: int, connection: bool) -> None:
        self._pass_on()

    def basic_consume(self, queue: str, consumer_tag: str, callback: Any) -> None:
        self._pass_on()
        self._mailbox += self._ready
        self._ready.clear()

    def basic_get(self, queue: str) -> None:
        assert not self._ready

    def basic_cancel(self, tag: str) -> None:
        self._pass_on()

    def send_method(self, *arguments: Any) -> None:
        self.given_back = True

    def _pass_on(self) -> None:
        for message in self._mailbox:
            self.callbacks['lymph-browser-0'](message)
        self._mailbox.clear()


@pytest.mark.parametrize('late', [False, True])
@pytest.mark.parametrize('messages', [[], ['a', 'b', 'c']], ids=['empty', 'several'])
def test_messages_delivered_after_an_empty_reply_are_read(messages: list[str], late: bool) -> None:
    channel: Any = FakeChannel(messages, late)
    with QueueBrowser(channel, 'queue') as browser:
        assert list(browser) == messages  # type: ignore[comparison-overlap]
    assert channel.given_back
