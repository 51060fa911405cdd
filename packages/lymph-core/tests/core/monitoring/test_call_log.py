"""Lines about calls: slow ones, a sample, and all at DEBUG; never more than was asked for."""

from __future__ import annotations

import contextlib
import logging

import gevent
import pytest

import lymph
from lymph.core._monitoring.call_log import CallLog, call_logger
from lymph.exceptions import Refused, RpcError, Timeout
from lymph.testing.waiting import eventually

SECRET = 'pa55word'


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text=None):
        return text

    @lymph.rpc()
    def sleep(self, seconds):
        gevent.sleep(seconds)

    @lymph.rpc(raises=(ValueError,))
    def declared(self, text):
        raise ValueError(text)

    @lymph.rpc()
    def broken(self, text):
        raise KeyError(text)

    @lymph.raw_rpc()
    def raw(self, channel, text):
        channel.ack()
        raise KeyError(text)


@pytest.fixture(autouse=True)
def ordinary_level():
    """Undo what a test sets."""
    yield
    call_logger.setLevel(logging.NOTSET)


@pytest.fixture
def lines(caplog):
    """Return a function that returns the (level, text) of the lines written until now."""
    return lambda: [
        (r.levelname, r.getMessage()) for r in caplog.records if r.name == 'lymph.calls'
    ]


def write(log, seconds, method='echo.echo'):
    log.answered(method, 'tcp://127.0.0.1:5', '1.0', 'abc', seconds, 'ok')


def test_a_slow_call_is_a_warning(lines):
    write(CallLog(slow=0.5), 0.5)
    expected = 'echo.echo answered tcp://127.0.0.1:5: ok after 0.5 s (version 1.0, trace abc)'
    assert lines() == [('WARNING', expected)]


def test_slow_calls_of_one_method_are_written_a_few_times_and_counted(lines):
    log = CallLog(slow=0.5)
    for _ in range(100):
        write(log, 0.7)
    write(log, 0.7, 'echo.other')
    log.close()
    assert len(lines()) == 12
    assert 'slow calls of echo.echo: 90 more lines were left out' in lines()[-1][1]


@pytest.mark.parametrize(('drawn', 'level'), [(0.0, 'INFO'), (0.009, 'INFO'), (0.01, None)])
def test_a_sample_of_the_calls_is_written_as_info(lines, caplog, drawn, level):
    caplog.set_level(logging.INFO, 'lymph.calls')
    write(CallLog(sample=0.01, chance=lambda: drawn), 0.1)
    assert [found for found, _ in lines()] == ([level] if level else [])


def test_the_sample_has_the_share_that_was_asked_for(lines, caplog):
    caplog.set_level(logging.INFO, 'lymph.calls')
    log = CallLog(sample=0.25)
    for _ in range(2000):
        write(log, 0.0)
    assert 0.2 < len(lines()) / 2000 < 0.3


@pytest.mark.parametrize(
    ('options', 'least'),
    [({}, float('inf')), ({'slow': 0.5}, 0.5), ({'sample': 0.1}, 0), ({'sample': 1, 'slow': 2}, 0)],
)
def test_calls_that_nobody_wants_are_not_passed_to_the_log(options, least):
    assert CallLog(**options).least == least


def test_nothing_is_written_by_default(world, lines, caplog):
    caplog.set_level(logging.INFO)
    world.container((Echo, 'echo'))
    world.container().request('echo', 'echo.echo')
    assert lines() == []


def test_at_debug_both_sides_write_a_line(world, lines, caplog):
    service, caller = world.container((Echo, 'echo', '1.2')), world.container()
    caplog.set_level(logging.DEBUG, 'lymph.calls')  # while the containers run
    caller.request('echo', 'echo.echo', {'text': SECRET}, version='1.2', trace_id='trace')
    eventually(lambda: len(lines()) == 2)
    (_, called), (_, answered) = sorted(lines(), key=lambda line: 'answered' in line[1])
    assert called.startswith(f'echo.echo called at {service.endpoint}: ok after ')
    assert called.endswith(' s (version 1.2, trace trace)')
    assert answered.startswith('echo.echo answered ')
    assert answered.endswith(' s (version 1.2, trace trace)')
    assert {level for level, _ in lines()} == {'DEBUG'}


@pytest.mark.parametrize('logger', ['lymph.calls', 'lymph', None])
def test_levels_count_from_the_next_call_on(logger, world, lines, caplog):
    world.container((Echo, 'echo'))
    caller = world.container()

    def sides():
        caplog.clear()
        caller.request('echo', 'echo.echo')
        caller.request('echo', 'echo.echo')  # the service has written its line about the first one
        return {text.split()[1] for _, text in lines()}

    caplog.set_level(logging.INFO)
    assert sides() == set()
    caplog.set_level(logging.DEBUG, logger)
    assert sides() == {'called', 'answered'}
    logging.disable(logging.DEBUG)
    try:
        gevent.sleep(0)  # the service ends its last call
        assert sides() == set()
    finally:
        logging.disable(logging.NOTSET)
    assert sides() == {'called', 'answered'}
    caplog.set_level(logging.INFO, logger)
    gevent.sleep(0)
    assert sides() == set()


@pytest.mark.parametrize(
    ('method', 'called', 'answered'),
    [
        ('declared', 'error', 'ValueError'),
        ('broken', 'nack failed', 'KeyError'),
        ('raw', 'ok', 'KeyError'),
        ('sleep', 'nack invalid_arguments', 'invalid_arguments'),
        ('missing', 'nack unknown_method', 'unknown_method'),
    ],
)
def test_each_side_tells_the_outcome_and_no_payload(world, lines, caplog, method, called, answered):
    world.container((Echo, 'echo'))
    caller = world.container()
    caplog.set_level(logging.DEBUG, 'lymph.calls')
    with contextlib.suppress(RpcError):
        caller.request('echo', f'echo.{method}', {'text': SECRET})
    eventually(lambda: len(lines()) == 2)
    texts = sorted(text for _, text in lines())
    assert f': {answered} after ' in texts[0]
    assert f': {called} after ' in texts[1]
    assert not any(SECRET in text for text in texts)


@pytest.mark.parametrize('state', ['overloaded', 'draining'])
def test_calls_that_are_refused_at_once_are_written(world, lines, caplog, spawn, state):
    service = world.container((Echo, 'echo'), pool_size=1)
    caller = world.container()
    if state == 'overloaded':
        spawn(caller.request, 'echo', 'echo.sleep', {'seconds': 30}, timeout=30)
        eventually(lambda: service.workers.running == 1)
    else:
        service._server.refusing = 'draining'
    caplog.set_level(logging.DEBUG, 'lymph.calls')
    with pytest.raises(Refused):
        caller.request(service.endpoint, 'echo.echo', retries=0, trace_id='trace')
    found = [text for _, text in lines() if 'answered' in text]
    assert len(found) == 1
    assert f': {state} after 0 s (version none, trace trace)' in found[0]


def test_slow_calls_of_a_container_are_warnings_on_both_sides(world, lines):
    world.container((Echo, 'echo'), rpc_slow_call=0.02)
    caller = world.container(rpc_slow_call=0.02)
    caller.request('echo', 'echo.sleep', {'seconds': 0.05}, timeout=30)
    with pytest.raises(Timeout):
        caller.request('echo', 'echo.sleep', {'seconds': 0.1}, timeout=0.05)
    eventually(lambda: len(lines()) == 4)
    assert {level for level, _ in lines()} == {'WARNING'}
    assert len([text for _, text in lines() if ': timeout after ' in text]) == 1


def test_other_calls_of_such_a_container_are_not_written(world, lines, caplog):
    caplog.set_level(logging.INFO)
    world.container((Echo, 'echo'), rpc_slow_call=30)
    caller = world.container(rpc_slow_call=30)
    caller.request('echo', 'echo.sleep', {'seconds': 0.05}, timeout=30)
    assert lines() == []


@pytest.mark.parametrize('way', ['send_request', 'interceptor'])
def test_calls_of_all_kinds_are_written(world, lines, way):
    class Through(lymph.Plugin, lymph.Interceptor):
        kinds = ('call',)

        def intercept(self, work, proceed):
            return proceed()

    service = world.container((Echo, 'echo'))
    caller = world.container(rpc_slow_call=0.01)
    if way == 'interceptor':
        caller.install_plugin(Through)
        caller.request('echo', 'echo.sleep', {'seconds': 0.03}, timeout=30)
    else:
        caller.send_request('echo', 'echo.sleep', {'seconds': 0.03}, timeout=30).get(None)
    ((level, text),) = lines()
    assert level == 'WARNING'
    assert text.startswith(f'echo.sleep called at {service.endpoint}: ok after ')
