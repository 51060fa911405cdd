"""Reconnecting: how often it is tried, and how often it is logged."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from types import SimpleNamespace

import gevent
import pytest
from gevent.event import AsyncResult

from lymph.events.kombu._connecting import reconnecting
from lymph.events.kombu._connecting.errors import BrokerError
from lymph.events.kombu._connecting.reconnecting import Reconnecting
from lymph.testing.waiting import eventually


class Connection:
    """A connection that lasts until it is lost."""

    def __init__(self) -> None:
        self.lost: AsyncResult[Exception] = AsyncResult()

    def wait_lost(self) -> Exception:
        error = self.lost.get()
        assert error is not None
        return error

    def close(self) -> None:
        pass


class RabbitmqLink(Reconnecting[str, Connection]):
    """Connects as long as `failure` is None; `brief` connections are lost at once."""

    def __init__(self) -> None:
        super().__init__('events', ['there'])
        self.made = 0
        self.brief = False
        self.failure: Exception | None = None

    def _open(self, broker: str) -> Connection:
        self.made += 1
        if self.failure is not None:
            raise self.failure
        connection = Connection()
        if self.brief:
            connection.lost.set(ConnectionResetError('closed'))
        return connection

    def _abandon(self, connection: Connection) -> None:
        pass


@pytest.fixture
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Records the delays between attempts, without waiting."""
    noted: list[float] = []

    def note(seconds: float) -> None:
        noted.append(seconds)
        gevent.sleep(1e-6)

    monkeypatch.setattr(reconnecting, 'gevent', SimpleNamespace(sleep=note, Timeout=gevent.Timeout))
    return noted


@pytest.fixture
def link(pauses: list[float], caplog: pytest.LogCaptureFixture) -> Iterator[RabbitmqLink]:
    """A link that is connected."""
    caplog.set_level(logging.INFO)
    link = RabbitmqLink()
    link.start()
    yield link
    link.stop(1)


def lose(link: RabbitmqLink) -> None:
    """End the connection of a link."""
    assert link.connection is not None
    link.connection.lost.set(ConnectionResetError('closed'))


def test_reconnects_are_delayed_with_backoff_when_connections_are_lost_at_once(
    link: RabbitmqLink, pauses: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    link.brief = True
    lose(link)
    eventually(lambda: len(pauses) > 20)
    assert link.made <= len(pauses) + 1  # and one when it began
    assert max(pauses[:2]) < min(pauses[8:])
    assert max(pauses) <= 1
    assert [record.getMessage() for record in caplog.records][:1] == [
        'events: lost the connection: there: closed'
    ]
    assert len([each for each in caplog.records if each.levelno >= logging.WARNING]) == 1


def test_connection_that_lasted_is_restored_without_a_delay(
    link: RabbitmqLink, pauses: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reconnecting, '_BRIEF', 0.0)
    lose(link)
    eventually(lambda: link.made == 2)
    assert pauses == []


@pytest.mark.parametrize(
    'failure', [BrokerError('nobody there'), ValueError('no broker')], ids=['refused', 'unforeseen']
)
def test_outage_is_logged_once_and_then_once_a_minute(
    link: RabbitmqLink,
    pauses: list[float],
    failure: Exception,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = [1000.0]
    monkeypatch.setattr(reconnecting, 'time', SimpleNamespace(monotonic=lambda: now[0]))
    link.failure = failure
    lose(link)
    eventually(lambda: len(pauses) > 20)
    for minute in (1, 2):
        now[0] += 60
        eventually(lambda minute=minute: len(warnings(caplog)) == 1 + minute)
        tried = len(pauses)
        eventually(lambda tried=tried: len(pauses) > tried + 20)
    first, *later = warnings(caplog)
    assert first == 'events: lost the connection: there: closed'
    assert len(later) == 2
    assert all(str(failure) in line and line.endswith('; trying again') for line in later)
    link.failure = None
    eventually(lambda: caplog.records[-1].getMessage() == 'events: connected again to there')


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return the warnings and errors that were logged."""
    return [each.getMessage() for each in caplog.records if each.levelno >= logging.WARNING]
