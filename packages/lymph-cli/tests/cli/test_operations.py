"""The operations port of real instances: probes while they start, run, block and stop."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
from typing import Any
from urllib.error import HTTPError, URLError
from urllib.request import urlopen

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from lymph.testing.waiting import eventually

PATIENCE = 30.0

SERVICE = """
import time
import gevent
import lymph

def hold_everybody_up(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass

class Held(lymph.Interface):
    @lymph.rpc()
    def take(self, seconds):
        print('taking')
        gevent.sleep(seconds)

    @lymph.rpc()
    def block(self, seconds):
        print('blocking')
        hold_everybody_up(seconds)
"""
CONFIG = """
interfaces: {held: {class: "held:Held"}}
container: {operations: {port: 0, blocked: 0.5}, drain_timeout: 20}
"""


def get(url: str) -> tuple[int, str]:
    try:
        with urlopen(url, timeout=PATIENCE) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def address_of(running: Any) -> str:
    """Return the address that an instance has printed."""
    running.said('operations at http://')
    found = re.search(r'operations at (http://[0-9.:]+)', running.stderr)
    assert found is not None
    return found[1]


def start(shell: Any, config: str = CONFIG, **options: Any) -> Any:
    shell.write('held.py', SERVICE)
    shell.write('held.yml', config)
    return shell.start('instance', '-c', 'held.yml', **options)


def test_probes_of_an_instance_that_runs_and_stops_with_a_slow_call(shell: Any) -> None:
    held = start(shell)
    address = address_of(held)
    for path in ('/livez', '/readyz', '/startupz'):
        assert get(address + path) == (200, 'ok\n')
    asking = shell.start('request', 'held.take', 'seconds:=2.5', '--timeout=60')
    held.said('taking')
    held.signal(signal.SIGTERM)
    eventually(lambda: get(f'{address}/readyz')[0] == 503, PATIENCE)
    assert asking.process.poll() is None  # the call goes on
    assert get(f'{address}/readyz') == (503, 'draining: the instance is stopping\n')
    assert get(f'{address}/livez') == (200, 'ok\n')
    assert get(f'{address}/startupz') == (200, 'ok\n')
    list(text_string_to_metric_families(get(f'{address}/metrics')[1]))
    assert asking.end() == 0
    assert held.end() == 0
    with pytest.raises(URLError):
        get(f'{address}/livez')


def test_the_line_that_blocks_the_loop_is_named(shell: Any) -> None:
    held = start(shell)
    address = address_of(held)
    asking = shell.start('request', 'held.block', 'seconds:=3', '--timeout=60')
    held.said('blocking')
    eventually(lambda: get(f'{address}/livez')[0] == 503, 2.5)
    status, text = get(f'{address}/livez')
    assert status == 503
    assert re.match(r'the loop has been blocked for [0-9.]+ s at .*held\.py:[0-9]+ in hold_', text)
    assert 'in block' in text  # the stack names the method, too
    assert get(f'{address}/readyz')[0] == 503
    assert 'hold_everybody_up' in get(f'{address}/stacks')[1]
    eventually(lambda: get(f'{address}/livez')[0] == 200, PATIENCE)
    assert asking.end() == 0


def test_an_instance_that_waits_in_its_start_is_alive_but_not_ready(shell: Any) -> None:
    shell.write(
        'slow.py',
        'import gevent, lymph\n'
        'class Slow(lymph.Interface):\n'
        '    def on_start(self):\n'
        '        print("starting")\n'
        '        gevent.sleep(600)\n',
    )
    with socket.create_server(('127.0.0.1', 0)) as probe:
        port = probe.getsockname()[1]
    operations = f'container: {{operations: {{port: {port}}}}}\n'
    shell.write('slow.yml', f'interfaces: {{slow: {{class: "slow:Slow"}}}}\n{operations}')
    slow = shell.start('instance', '-c', 'slow.yml')
    slow.said('starting')
    address = f'http://127.0.0.1:{port}'
    assert get(f'{address}/startupz') == (503, 'starting\n')
    assert get(f'{address}/readyz') == (503, 'starting\n')
    assert get(f'{address}/livez') == (200, 'ok\n')
    slow.signal(signal.SIGTERM)
    slow.end()


def test_a_port_in_use_is_one_line_that_names_who_has_it(shell: Any) -> None:
    held = start(shell)
    port = address_of(held).rpartition(':')[2]
    shell.write('second.yml', CONFIG.replace('port: 0', f'port: {port}'))
    done = shell.run('instance', '-c', 'second.yml')
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert f'second.yml:3: container.operations.port: cannot listen at 127.0.0.1:{port}' in line
    assert 'Address already in use; choose another port, or 0 for any free one' in line
    assert f'(process {held.pid}) listens there' in line


def test_a_supervisor_gets_a_port_and_is_told_where_before_the_instance_serves(shell: Any) -> None:
    reading, writing = os.pipe()
    shell.environ['LYMPH_OPERATIONS'] = '0'
    shell.environ['LYMPH_READY_FD'] = str(writing)
    held = start(shell, 'interfaces: {held: {class: "held:Held"}}\n', pass_fds=[writing])
    os.close(writing)
    with os.fdopen(reading) as told:
        first, second = told.read().splitlines()
    assert first == f'OPERATIONS={address_of(held)}'
    assert second == 'READY=1'
    assert get(f'{address_of(held)}/readyz') == (200, 'ok\n')


@pytest.mark.parametrize('operations', ['false', 'off'])
def test_the_configuration_turns_off_what_a_supervisor_wants(shell: Any, operations: str) -> None:
    shell.environ['LYMPH_OPERATIONS'] = '0'
    container = f'container: {{operations: {operations}}}\n'
    held = start(shell, f'interfaces: {{held: {{class: "held:Held"}}}}\n{container}')
    held.said('held at tcp://')
    assert 'operations' not in held.stderr


def test_an_invalid_wish_is_one_line(shell: Any) -> None:
    shell.environ['LYMPH_OPERATIONS'] = 'any'
    held = start(shell, 'interfaces: {held: {class: "held:Held"}}\n')
    held.said('held at tcp://')
    first, second = held.stderr.splitlines()
    assert first == "LYMPH_OPERATIONS: expected a port from 0 to 65535, found 'any'; none is opened"
    assert 'operations' not in second


def test_a_reloaded_instance_keeps_its_port(shell: Any) -> None:
    shell.environ['LYMPH_OPERATIONS'] = '0'
    shell.write('held.py', SERVICE)
    path = shell.write('held.yml', 'interfaces: {held: {class: "held:Held"}}\n')
    held = shell.start('instance', '-c', 'held.yml', '--reload')
    address = address_of(held)

    def again() -> bool:
        if 'starting again' not in held.stderr:  # the first look may come after a change
            os.utime(path)
        return bool(held.stderr.count(f'operations at {address}') == 2)

    eventually(again, PATIENCE)
    assert get(f'{address}/readyz') == (200, 'ok\n')


def start_node(shell: Any, instances: str) -> Any:
    shell.write('held.py', SERVICE)
    shell.write('held.yml', 'interfaces: {held: {class: "held:Held"}}\n')
    shell.write(
        'off.yml', 'interfaces: {held: {class: "held:Held"}}\ncontainer: {operations: no}\n'
    )
    shell.write('.lymph.yml', f'instances:\n{instances}')
    return shell.start('node')


def processes(shell: Any) -> dict[str, Any]:
    done = shell.run('node', 'ps', '--json')
    return {each['name']: each for each in json.loads(done.stdout or '[]')}


def test_instances_of_a_node_have_free_ports_which_the_node_tells(shell: Any) -> None:
    node = start_node(
        shell,
        '  held: {command: "lymph instance -c held.yml", numprocesses: 2}\n'
        '  off: {command: "lymph instance -c off.yml"}\n',
    )
    eventually(
        lambda: [each['state'] for each in processes(shell).values()] == ['running'] * 3, PATIENCE
    )
    found = {name: each['operations'] for name, each in processes(shell).items()}
    assert found['off.1'] is None
    assert found['held.1'] != found['held.2']
    for name in ('held.1', 'held.2'):
        assert get(f'{found[name]}/readyz') == (200, 'ok\n')
        assert found[name] in shell.run('node', 'ps').stdout
    assert shell.run('node', 'restart', 'held.1').exit_code == 0
    restarted = processes(shell)['held.1']['operations']
    assert get(f'{restarted}/readyz') == (200, 'ok\n')
    node.signal(signal.SIGTERM)
    assert node.end() == 0


def test_several_processes_of_a_node_cannot_have_one_operations_port(shell: Any) -> None:
    shell.write('fixed.yml', 'container: {operations: {port: 4127}}\n')
    shell.write(
        '.lymph.yml',
        'instances:\n  web: {command: "lymph instance -c fixed.yml", numprocesses: 2}\n',
    )
    done = shell.run('node')
    assert done.exit_code == 2
    (line,) = done.stderr.splitlines()
    assert 'instances.web.command: 2 processes cannot all listen at port 4127' in line
    assert 'container.operations.port' in line


def test_a_port_that_is_only_wished_for_does_not_keep_an_instance_from_its_start(
    shell: Any,
) -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        shell.environ['LYMPH_OPERATIONS'] = str(port)
        held = start(shell, 'interfaces: {held: {class: "held:Held"}}\n')
        held.said('held at tcp://')
    first, second = held.stderr.splitlines()
    assert first.startswith(f'LYMPH_OPERATIONS: cannot listen at 127.0.0.1:{port} for operations')
    assert first.endswith('; none is opened')
    assert 'operations' not in second
