from __future__ import annotations

import json

import pytest

from lymph.core._operations.probes import BlockedLoop, alive, probe_answer, ready, started
from lymph.core.monitoring.connection_states import ConnectionState

BLOCKED = BlockedLoop(3.25, '/srv/echo.py:12 in upper', ['File "/srv/echo.py", line 12 in upper'])
BLOCKED_TEXT = 'the loop has been blocked for 3.2 s at /srv/echo.py:12 in upper'


def text_of(checks, verbose=False):
    answer = probe_answer(checks, verbose=verbose, as_json=False)
    return answer.status, answer.body.splitlines()


def readiness(**facts):
    usual = {
        'has_started': True,
        'draining': False,
        'blocked': None,
        'connections': {},
        'away': 30.0,
        'now': 1000.0,
    }
    return ready(**{**usual, **facts})


def test_a_loop_that_answers_is_alive():
    assert text_of(alive(None)) == (200, ['ok'])


def test_a_blocked_loop_is_not_and_its_line_and_stack_are_named():
    stack = ['  File "/srv/echo.py", line 12 in upper']
    assert text_of(alive(BLOCKED)) == (503, [BLOCKED_TEXT, *stack])


@pytest.mark.parametrize(
    ('facts', 'lines'),
    [
        ((True, False), (200, ['ok'])),
        ((True, True), (200, ['ok'])),
        ((False, False), (503, ['starting'])),
        ((False, True), (503, ['stopped before it had started'])),
    ],
)
def test_the_start_is_over_once_it_is_complete(facts, lines):
    assert text_of(started(*facts)) == lines


@pytest.mark.parametrize(
    ('facts', 'lines'),
    [
        ({}, ['ok']),
        ({'has_started': False}, ['starting']),
        ({'draining': True}, ['draining: the instance is stopping']),
        ({'blocked': BLOCKED}, [BLOCKED_TEXT, '  File "/srv/echo.py", line 12 in upper']),
        ({'connections': {'registry': None}}, ['ok']),
        ({'connections': {'registry': ConnectionState(True, 0.0)}}, ['ok']),
        ({'connections': {'registry': ConnectionState(False, 970.0)}}, ['ok']),
        (
            {'connections': {'registry': ConnectionState(False, 969.0, 2, 'a:2181', 'refused')}},
            ['registry: a:2181 has not been reached for 31.0 s: refused'],
        ),
        (
            {'connections': {'broker': ConnectionState(False, 969.0, reason='bad\nline')}},
            ['broker: the server has not been reached for 31.0 s: bad\\nline'],
        ),
        (
            {'connections': {'broker': 'KeyError: 1'}},
            ['broker: its state is unknown: KeyError: 1'],
        ),
        (
            {'has_started': False, 'connections': {'broker': ConnectionState(False, 0.0)}},
            ['starting', 'broker: the server has not been reached for 1000.0 s'],
        ),
    ],
)
def test_an_instance_is_ready_or_there_are_reasons(facts, lines):
    assert text_of(readiness(**facts)) == (200 if lines == ['ok'] else 503, lines)


def test_away_0_allows_no_moment_without_the_server():
    state = ConnectionState(False, 999.9)
    assert text_of(readiness(away=0.0, connections={'registry': state}))[0] == 503


def test_details_have_all_checks():
    gone = ConnectionState(False, 990.0, 0, 'a:2181', 'refused')
    assert text_of(readiness(connections={'registry': gone, 'broker': None}), verbose=True) == (
        200,
        [
            'ok',
            '[+] the instance has started',
            '[+] the instance is not stopping',
            '[+] the loop answers',
            '[+] registry: a:2181 has not been reached for 10.0 s: refused',
            '[+] broker: there is no server',
        ],
    )
    assert '[-] starting' in text_of(readiness(has_started=False), verbose=True)[1]


def test_json_has_the_facts():
    gone = ConnectionState(False, 900.0, 1, 'a:2181', 'refused')
    checks = readiness(blocked=BLOCKED, connections={'registry': gone})
    answer = probe_answer(checks, verbose=False, as_json=True)
    assert (answer.status, answer.content_type) == (503, 'application/json')
    found = json.loads(answer.body)
    assert found['ok'] is False
    by_name = {check['name']: check for check in found['checks']}
    assert by_name['start']['ok'] is True
    assert by_name['loop']['at'] == '/srv/echo.py:12 in upper'
    assert by_name['registry'] == {
        'name': 'registry',
        'ok': False,
        'text': 'registry: a:2181 has not been reached for 100.0 s: refused',
        'connected': False,
        'since': 900.0,
        'reconnects': 1,
        'server': 'a:2181',
        'reason': 'refused',
    }
