"""`lymph why` names the instances that a call would reach, the others, and the reasons."""

from __future__ import annotations

import json
import re
import signal
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from lymph.cli._running.explanation import unregistered
from lymph.cli._running.reasons import Process, why_no_answer
from lymph.cli._running.verdicts import conclusion, judge, other_version
from lymph.core.diagnosis import Answer
from lymph.core.services import ServiceInstance

ECHO = ServiceInstance('one', 'tcp://10.0.0.5:4123', hostname='far', pid=7, started=1.0)
STATUS: dict[str, Any] = {
    'identity': 'one',
    'interfaces': [{'name': 'echo'}],
    'draining': False,
    'worker': False,
    'handlers': {'running': 0, 'pool_size': 10},
}


def answer(**changes: Any) -> Answer:
    return Answer((('echo', ECHO),), {**STATUS, **changes})


def silence(error: str, kind: str = 'NotConnected') -> Answer:
    return Answer((('echo', ECHO),), error=error, kind=kind)


@pytest.mark.parametrize(
    ('changes', 'short'),
    [
        ({}, []),
        ({'draining': True}, ['draining']),
        ({'handlers': {'running': 10, 'pool_size': 10}}, ['overloaded']),
        ({'handlers': {'running': 10, 'pool_size': None}}, []),
        ({'interfaces': [{'name': 'mail'}, 7]}, ['other service']),
        ({'identity': 'two'}, ['foreign address']),
        ({'worker': True}, ['worker']),
        (dict.fromkeys(STATUS, 'of some other kind'), ['foreign address']),
    ],
)
def test_instance_that_answers_is_judged_by_its_answer(
    changes: dict[str, Any], short: list[str]
) -> None:
    verdict = judge('echo', ECHO, answer(**changes))
    assert [reason.short for reason in verdict.reasons] == short
    assert verdict.called is not bool(short)


@pytest.mark.parametrize(
    ('error', 'kind', 'short', 'advice'),
    [
        ('connection failed: Connection refused', 'NotConnected', 'connection refused', 'ended'),
        ('no connection within 1 s, still waiting for the TCP connection', 'NotConnected',
         'timed out', 'firewall'),
        ('connection failed: Connection timed out', 'NotConnected', 'timed out', 'firewall'),
        ('connection failed: Network is unreachable', 'NotConnected', 'unreachable network',
         'route'),
        ('connection failed: No route to host', 'NotConnected', 'unreachable network', 'route'),
        ('connection failed: Name or service not known', 'NotConnected', 'unknown host name',
         'DNS'),
        ('connection failed: Temporary failure in name resolution', 'NotConnected',
         'unknown host name', 'DNS'),
        ('no connection within 1 s, still waiting for the address of a', 'NotConnected',
         'name server silent', 'resolv.conf'),
        ("the peer sent b'HTTP/1.1 4', which is no ZMTP greeting", 'NotConnected',
         'protocol mismatch', 'who has the port'),
        ('read failed: Connection reset by peer', 'NotConnected', 'closes connections', 'log'),
        ("expected an endpoint like tcp://127.0.0.1:4123, found 'ipc:///x'", 'NotConnected',
         'other transport', 'container.rpc.transport'),
        ('no reply within 3 s', 'Timeout', 'silent', 'USR1 7 on far'),
        ('unknown interface', 'Refused', 'protocol mismatch', 'version of lymph'),
        ('something new', 'NotConnected', 'not reachable', 'log'),
    ],
)  # fmt: skip
def test_unreachable_instance_is_skipped_with_a_reason_and_advice(
    error: str, kind: str, short: str, advice: str
) -> None:
    [reason] = judge('echo', ECHO, silence(error, kind)).reasons
    assert reason.short == short
    assert advice in reason.advice


@pytest.mark.parametrize(
    ('process', 'short', 'advice'),
    [
        ('unknown', 'loop blocked', 'its process is stopped, or something else listens'),
        ('running', 'loop blocked', 'kill -USR1 7'),
        ('stopped', 'stopped', 'kill -CONT 7'),
        ('gone', 'protocol mismatch', 'who has the port'),
    ],
)
def test_silent_instance_is_explained_by_the_state_of_its_process(
    process: Process, short: str, advice: str
) -> None:
    waiting = 'no connection within 1 s, still waiting for the ZMTP handshake'
    reason = why_no_answer(silence(waiting), process)
    assert reason is not None
    assert reason.short == short
    assert advice in reason.advice


def test_loopback_address_of_another_machine_is_the_reason_even_if_something_answers_here() -> None:
    far = ServiceInstance('one', 'tcp://127.0.0.1:4123', hostname='far', pid=7)
    for found in (silence('connection failed: Connection refused'), answer(identity='two')):
        [reason] = judge('echo', far, found, beyond_host=True, hostname='here').reasons
        assert 'loopback' in reason.short
        assert 'container.advertise' in reason.advice
    near = judge('echo', far, answer(), beyond_host=True, hostname='far')
    assert near.called
    assert 'no other machine' in near.notes[0]
    assert not judge('echo', far, answer(), beyond_host=False, hostname='far').notes


def test_conclusion_has_counts_and_advice() -> None:
    good = judge('echo', ECHO, answer())
    old = judge('echo', ECHO, answer(), other_version('echo', '1.5.0', None, '2.x'))
    refused = judge('echo', ECHO, silence('connection failed: Connection refused'))
    assert conclusion('echo', [good, good]) == 'a call to echo reaches 2 instances'
    assert conclusion('echo', [good, old, refused]) == (
        'a call to echo reaches 1 of 3 instances; passed over: older major version (1), '
        'connection refused (1)'
    )
    assert 'echo@1.5.0' in conclusion('echo', [old])
    assert 'none of 3 instances: connection refused (2), older' in conclusion(
        'echo', [old, refused, refused]
    )


@pytest.mark.parametrize(
    ('name', 'services', 'web', 'said'),
    [
        ('ehco', ['echo', 'mail'], [], "did you mean 'echo'?"),
        ('shop', ['mail'], [], 'container.registry'),
        ('shop', [], [], '--config'),
        ('shop', ['shop.worker'], [], 'only workers'),
        ('shop', [], ['shop'], 'HTTP alone'),
    ],
)
def test_unknown_name_is_an_error_with_the_closest_one(
    name: str, services: list[str], web: list[str], said: str
) -> None:
    text, others = unregistered(name, services, web)
    assert said in text
    assert others == tuple(services)


@pytest.fixture
def web_server() -> Iterator[int]:
    """The port of a server that is not lymph."""
    with socket.create_server(('127.0.0.1', 0)) as listening:

        def answer() -> None:
            while True:
                try:
                    peer, _ = listening.accept()
                except OSError:
                    return
                with peer:
                    peer.sendall(b'HTTP/1.1 400 Bad Request\r\n\r\n')

        threading.Thread(target=answer, daemon=True).start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)


def test_real_instances_are_listed_with_reasons_and_last_errors(
    shell: Any, web_server: int
) -> None:
    running = shell.start_echo()
    endpoint = re.search(r'tcp://\S+', running.stderr)[0]
    shell.run('request', 'echo.upper', 'text:=7')
    done = shell.run('why', 'echo')
    first, asked, titles, row, error = done.stdout.splitlines()
    assert (done.exit_code, first) == (0, 'a call to echo reaches 1 instance')
    assert str(shell.folder / 'state' / 'registry') in asked
    assert titles.split()[:4] == ['IDENTITY', 'ENDPOINT', 'VERSION', 'AGE']
    assert endpoint in row
    assert 'echo.upper failed' in error
    assert 'AttributeError (trace' in error
    [identity] = re.findall(r'^[0-9a-f]{16}', row)
    done = shell.run('why', f'echo:{identity[:6]}')
    assert (done.exit_code, done.stdout.splitlines()[3].split()[0]) == (0, identity)
    services = [
        endpoint,
        {'endpoint': endpoint, 'version': '2.0'},
        'tcp://127.0.0.1:1',
        f'tcp://127.0.0.1:{web_server}',
    ]
    registry = {'class': 'static', 'services': {'echo': services}}
    shell.write('static.yml', json.dumps({'container': {'registry': registry}}))
    done = shell.run('why', 'echo@2', '--config=static.yml', '--json')
    found = json.loads(done.stdout)
    assert (done.exit_code, found['reachable'], done.stderr) == (0, True, '')
    reasons = {
        (each['endpoint'], each.get('version')): [why['short'] for why in each['reasons']]
        for each in found['instances']
    }
    assert reasons == {
        (endpoint, None): ['not compatible'],
        (endpoint, '2.0'): [],
        ('tcp://127.0.0.1:1', None): ['not compatible', 'connection refused'],
        (f'tcp://127.0.0.1:{web_server}', None): ['not compatible', 'protocol mismatch'],
    }
    running.signal(signal.SIGSTOP)
    done = shell.run('why', 'echo')
    assert done.exit_code == 1
    assert f'kill -CONT {running.pid}' in done.stdout.splitlines()[0]
