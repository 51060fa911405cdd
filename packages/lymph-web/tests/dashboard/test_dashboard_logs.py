"""The logs of all instances, as pages get them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gevent
import pytest

from lymph.core._monitoring.log_records import LogStreamHandler
from lymph.exceptions import LookupFailure
from lymph.testing.waiting import eventually
from lymph.web._dashboard import logs

logger = logging.getLogger('shop.orders')


@pytest.fixture(autouse=True)
def published(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Publish what the logger writes; look at the registry often, and stop soon."""
    monkeypatch.setattr(logs, '_LOOK_AGAIN', 0.05)
    monkeypatch.setattr(logs, '_LINGER', 0.2)
    handler = LogStreamHandler()
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    logger.propagate = False
    yield
    logger.removeHandler(handler)
    logger.propagate = True


def message(events: Any, *levels: int) -> dict[str, Any]:
    """Write lines at these levels until one of them arrives; return it."""

    def write() -> None:
        while True:
            for level in levels:
                logger.log(level, 'a line at %d', level)
            gevent.sleep(0.02)

    writing = gevent.spawn(write)
    try:
        with gevent.Timeout(10):
            return dict(next(events)[1])
    finally:
        writing.kill()


def test_lines_arrive_with_service_level_and_trace(world: Any) -> None:
    shop = world.shop(log_endpoint='tcp://127.0.0.1:*')
    asking = world.dashboard()
    with closing(asking.events('/data/logs', 'record')) as events:
        record = message(events, logging.INFO)
    assert (record['services'], record['level']) == (['shop'], 'INFO')
    assert (record['identity'], record['message']) == (shop.identity, 'a line at 20')


def test_level_and_service_choose_lines(world: Any) -> None:
    world.shop(log_endpoint='tcp://127.0.0.1:*')
    asking = world.dashboard()
    with closing(asking.events('/data/logs?level=warning&service=shop', 'record')) as events:
        record = message(events, logging.DEBUG, logging.INFO, logging.ERROR)
        assert record['level'] == 'ERROR'
    with closing(asking.events('/data/logs?service=other', 'record')) as events:
        logger.error('not for this one')
        with gevent.Timeout(0.3, False):
            raise AssertionError(next(events))


def test_last_lines_are_there_for_the_next_page(world: Any) -> None:
    world.shop(log_endpoint='tcp://127.0.0.1:*')
    asking = world.dashboard()
    with closing(asking.events('/data/logs', 'record')) as first:
        record = message(first, logging.INFO)
        with closing(asking.events('/data/logs', 'record')) as second, gevent.Timeout(10):
            assert next(second)[1] == record


def test_instances_that_publish_no_log_are_counted(world: Any) -> None:
    world.shop(log_endpoint='tcp://127.0.0.1:*')
    world.shop()
    asking = world.dashboard()
    with closing(asking.events('/data/logs', 'state')) as events, gevent.Timeout(10):
        states = [state for _, state in zip(range(2), events, strict=False)]
    # the dashboard is an instance itself
    assert states[-1][1] == {'followed': 1, 'silent': 2, 'problem': ''}


def test_registry_that_is_away_is_told_and_lines_go_on(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.shop(log_endpoint='tcp://127.0.0.1:*')
    asking = world.dashboard()

    def fail(*_arguments: Any) -> Any:
        raise LookupFailure('the registry is away')

    with closing(asking.events('/data/logs')) as events, gevent.Timeout(10):
        next(each for name, each in events if name == 'state' and each['followed'] == 1)
        monkeypatch.setattr(asking.dashboard.container.registry, 'discover', fail)
        told = next(each for name, each in events if name == 'state' and each['problem'])
        assert 'is away' in told['problem']
        assert message(events, logging.INFO)['message'] == 'a line at 20'


def test_logs_are_followed_only_while_somebody_looks(world: Any) -> None:
    world.shop(log_endpoint='tcp://127.0.0.1:*')
    asking = world.dashboard()
    following = asking.dashboard._logs
    with closing(asking.events('/data/logs')) as events:
        next(events)
        assert following._running is not None
    eventually(lambda: following._running is None, 10)


def test_instance_that_starts_later_is_followed(world: Any) -> None:
    asking = world.dashboard()
    with closing(asking.events('/data/logs', 'record')) as events:
        gevent.sleep(0)
        world.shop(log_endpoint='tcp://127.0.0.1:*')
        assert message(events, logging.INFO)['services'] == ['shop']


def test_unknown_level_is_refused(asking: Any) -> None:
    answer = asking.ask('/data/logs?level=loud', Accept='application/json')
    assert answer.status == 400
    assert "found 'loud'" in answer.json['detail']
