from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import gevent
import pytest
from gevent.event import Event
from gevent.monkey import get_original
from prometheus_client.openmetrics.parser import text_string_to_metric_families
from prometheus_client.parser import text_string_to_metric_families as classic_families

import lymph
from lymph.config import Configuration, ConfigurationError
from lymph.core._operations.settings import OperationsSettings
from lymph.core._system.blocking import in_thread
from lymph.core.container import ServiceContainer
from lymph.core.monitoring.connection_states import ConnectionState
from lymph.core.monitoring.metrics import Callable, Gauge
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    @lymph.rpc()
    def upper(self, text):
        return text.upper()


class Starting(lymph.Interface):
    """Is started when `proceed` is set."""

    proceed = Event()

    def on_start(self):
        self.proceed.wait(30)


def fetched(url, **fields):
    try:
        with urlopen(Request(url, headers=fields), timeout=20) as answer:
            return answer.status, answer.read().decode()
    except HTTPError as error:
        return error.code, error.read().decode()


def get(container, path, **fields):
    """Return the status and the body of an answer of a container, while its loop goes on."""
    return in_thread(lambda: fetched(container.operations + path, **fields))


def block(seconds):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.fixture
def container(world):
    return world.container(Echo, operations=OperationsSettings())


def test_a_running_instance_is_alive_ready_and_started(container):
    for path in ('/livez', '/readyz', '/startupz'):
        assert get(container, path) == (200, 'ok\n')


def test_the_first_page_lists_the_others(container):
    status, text = get(container, '/')
    assert status == 200
    assert container.identity in text
    for path in ('/livez', '/readyz', '/startupz', '/metrics', '/stacks'):
        assert path in text
    status, text = get(container, '/nothing')
    assert status == 404
    assert '/readyz' in text


def test_details_are_shown_as_text_and_as_json(container):
    assert '[+] the loop answers' in get(container, '/readyz?verbose')[1]
    found = json.loads(get(container, '/readyz', Accept='application/json')[1])
    assert [check['name'] for check in found['checks']] == [
        *('start', 'stop', 'loop', 'registry', 'broker')
    ]


def test_metrics_are_read_by_the_parser_of_prometheus(container):
    for _ in range(3):
        container.request(container.endpoint, 'echo.upper', {'text': 'a'})
    status, text = get(container, '/metrics')
    assert status == 200
    families = {family.name: family for family in text_string_to_metric_families(text)}
    handled = families['lymph_rpc_handled'].samples
    assert [sample.value for sample in handled if sample.labels == {'method': 'echo.upper'}] == [3]
    buckets = families['lymph_rpc_duration_seconds'].samples
    assert any(sample.exemplar for sample in buckets if sample.name.endswith('_bucket'))
    assert families['process_cpu_seconds'].type == 'counter'
    assert families['lymph_loop_delay_seconds'].type == 'histogram'


def test_the_classic_format_is_there_for_those_who_ask_for_it(container):
    status, text = get(container, '/metrics', Accept='text/plain')
    names = {family.name for family in classic_families(text)}
    assert status == 200
    assert {'lymph_info', 'process_cpu_seconds', 'lymph_loop_delay_seconds'} <= names


def test_a_metric_that_would_make_the_page_invalid_is_told_once(container, caplog):
    container.metrics.add(Gauge('loop-delay', 1))
    container.metrics.add(Gauge('loop-delay', 2))
    for _ in range(3):
        status, text = get(container, '/metrics')
        assert status == 200
        assert list(text_string_to_metric_families(text))
    eventually(lambda: dict_of(container)['metrics.left_out'] == 3)
    lines = [r.getMessage() for r in caplog.records if 'loop-delay' in r.getMessage()]
    assert len(lines) == 1
    assert 'loop-delay is left out of the metrics for Prometheus: a series with' in lines[0]


def dict_of(container):
    return {name: value for name, value, _ in container.metrics}


def test_a_metric_that_waits_holds_up_neither_the_probes_nor_other_scrapes(container, monkeypatch):
    monkeypatch.setattr('lymph.core._operations.routes._PATIENCE', 0.5)
    free, waiting = Event(), []

    def wait():
        waiting.append(1)
        free.wait(30)
        return 1

    slow = container.metrics.add(Callable('slow', wait))
    pages = [gevent.spawn(get, container, '/metrics') for _ in range(4)]
    assert get(container, '/livez') == (200, 'ok\n')
    for page in pages:
        assert page.get() == (503, 'no metrics: they could not be read within 0.5 s\n')
    assert len(waiting) == 1  # not one for each scrape
    free.set()
    container.metrics.remove(slow)
    eventually(lambda: get(container, '/metrics')[0] == 200)


def test_a_scrape_during_a_stop_says_so(container):
    free = Event()
    entered = Event()

    def wait():
        entered.set()
        return free.wait(30) and 1

    slow = container.metrics.add(Callable('slow', wait))
    page = gevent.spawn(get, container, '/metrics')
    assert entered.wait(10)
    container.pool.kill()
    assert page.get() == (503, 'no metrics: the instance is stopping\n')
    container.metrics.remove(slow)


def test_stacks_are_those_of_threads_and_greenlets(container, spawn):
    def waits_for_nothing():
        Event().wait(30)

    spawn(waits_for_nothing)
    gevent.sleep(0)
    status, text = get(container, '/stacks')
    assert status == 200
    assert 'which has the loop' in text
    assert 'in waits_for_nothing' in text
    assert 'in _watch' in text  # the thread of the watchdog


def test_an_instance_is_not_ready_before_it_has_started(world, spawn):
    Starting.proceed.clear()
    container = world.container(Starting, start=False, operations=OperationsSettings())
    started = spawn(container.start)
    eventually(lambda: container.operations)
    assert get(container, '/readyz') == (503, 'starting\n')
    assert get(container, '/startupz') == (503, 'starting\n')
    assert get(container, '/livez') == (200, 'ok\n')
    Starting.proceed.set()
    started.get()
    assert get(container, '/readyz') == (200, 'ok\n')
    assert get(container, '/startupz') == (200, 'ok\n')


def test_an_instance_that_drains_is_alive_but_not_ready(world, spawn):
    entered, free = Event(), Event()

    class Slow(lymph.Interface):
        @lymph.rpc()
        def wait(self):
            entered.set()
            free.wait(30)

    container = world.container(Slow, drain_timeout=30, operations=OperationsSettings())
    spawn(container.request, container.endpoint, 'slow.wait', timeout=30)
    assert entered.wait(10)
    drained = spawn(container.drain)
    gevent.sleep(0)
    assert get(container, '/readyz') == (503, 'draining: the instance is stopping\n')
    assert get(container, '/livez') == (200, 'ok\n')
    assert get(container, '/metrics')[0] == 200
    free.set()
    drained.get()


def test_an_instance_without_its_servers_is_not_ready_when_that_lasts(world, monkeypatch):
    container = world.container(Echo, operations=OperationsSettings(away=5))
    state = ConnectionState(False, time.time() - 4, 0, 'zk:2181', 'refused')
    monkeypatch.setattr(container.registry, 'connection_state', lambda: state)
    assert get(container, '/readyz')[0] == 200
    state = state._replace(since=time.time() - 6)
    status, text = get(container, '/readyz')
    assert status == 503
    assert text.startswith('registry: zk:2181 has not been reached for 6.')

    def broken():
        raise KeyError('no state')

    monkeypatch.setattr(container.registry, 'connection_state', broken)
    text = "registry: its state is unknown: KeyError: 'no state'\n"
    assert get(container, '/readyz') == (503, text)


def test_a_blocked_loop_is_named_with_its_line(world):
    container = world.container(Echo, operations=OperationsSettings(blocked=0.3))
    address, found = container.operations, {}

    def fetch():
        time.sleep(0.8)
        for path in ('/livez', '/readyz', '/startupz', '/metrics', '/stacks'):
            found[path] = fetched(address + path)

    fetching = gevent.get_hub().threadpool.spawn(fetch)
    block(1.5)
    fetching.get()
    for path in ('/livez', '/readyz'):
        status, text = found[path]
        assert status == 503
        assert text.startswith('the loop has been blocked for ')
        assert f'{__file__}:' in text
        assert 'in block' in text.splitlines()[0]
    assert found['/startupz'] == (200, 'ok\n')
    status, text = found['/metrics']
    assert status == 503
    assert text.startswith('no metrics: the loop has been blocked for ')
    status, text = found['/stacks']
    assert status == 200
    assert 'in block' in text
    assert 'no greenlets: the loop has been blocked for ' in text


PATCHED = """
import lymph.monkey
lymph.monkey.patch()
import time
from lymph.config import Configuration
from lymph.core.container import ServiceContainer

container = ServiceContainer.from_config(Configuration({
    'registry': {'class': 'static'}, 'events': {'class': 'null'},
    'operations': {'port': 0, 'blocked': 0.3},
}))
container.start()
print(container.operations, flush=True)

def busy():
    end = time.monotonic() + 60
    while time.monotonic() < end:
        pass

busy()
"""


def test_monkey_patching_does_not_make_the_thread_wait_for_the_loop():
    with subprocess.Popen([sys.executable, '-c', PATCHED], stdout=subprocess.PIPE) as process:
        try:
            address = process.stdout.readline().decode().strip()
            eventually(lambda: fetched(f'{address}/livez')[0] == 503, 30)
            assert 'in busy' in fetched(f'{address}/livez')[1]
            assert 'in busy' in fetched(f'{address}/stacks')[1]
            assert fetched(f'{address}/startupz') == (200, 'ok\n')
        finally:
            process.kill()


def test_the_status_tells_where_the_port_is(world):
    container = world.container(Echo, operations=OperationsSettings())
    assert container.status()['operations'] == container.operations
    assert world.container().status()['operations'] is None


def test_a_client_has_no_port(world):
    client = world.container(on_demand=True, operations=OperationsSettings())
    assert client.open_operations() is None


def test_there_is_none_unless_the_configuration_or_the_caller_says_so():
    sections = {'registry': {'class': 'static'}, 'events': {'class': 'null'}}
    for section, asked, opened in (
        ({}, None, False),
        ({}, 0, True),
        ({'operations': False}, 0, False),
        ({'operations': {'port': 0}}, None, True),
    ):
        config = Configuration({**sections, **section})
        container = ServiceContainer.from_config(config, operations=asked)
        try:
            assert bool(container.open_operations()) is opened
        finally:
            container.stop()


def test_the_port_closes_with_its_container(world):
    container = world.container(Echo, operations=OperationsSettings())
    address = container.operations
    port = int(address.rpartition(':')[2])
    container.stop()
    assert container.operations is None
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.1', port), 5)
    assert 'metrics.left_out' not in dict_of(container)


def test_a_start_that_fails_closes_the_port(world):
    class Failing(lymph.Interface):
        def on_start(self):
            raise KeyError('on purpose')

    container = world.container(Failing, start=False, operations=OperationsSettings())
    address = container.open_operations()
    with pytest.raises(KeyError):
        container.start()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(('127.0.0.1', int(address.rpartition(':')[2])), 5)


def test_a_port_in_use_is_an_error_of_its_setting(world):
    with socket.socket() as taken:
        taken.bind(('127.0.0.1', 0))
        taken.listen()
        port = taken.getsockname()[1]
        settings = OperationsSettings(port=port, where='container.operations.port')
        container = world.container(start=False, operations=settings)
        with pytest.raises(ConfigurationError) as caught:
            container.start()
    assert str(caught.value) == (
        f'container.operations.port: cannot listen at 127.0.0.1:{port} for operations: '
        'Address already in use; choose another port, or 0 for any free one'
    )


@pytest.mark.parametrize('ip', ['192.0.2.1', 'no-such-host.invalid'])
def test_an_address_of_another_machine_is_an_error(world, ip):
    container = world.container(start=False, operations=OperationsSettings(ip=ip))
    with pytest.raises(
        ConfigurationError, match=r'set operations\.ip to an address of this machine'
    ):
        container.start()


def test_a_forked_child_does_not_serve(container):
    address = container.operations
    port = int(address.rpartition(':')[2])
    with socket.create_connection(('127.0.0.1', port), 5) as open_one:
        reading, writing = os.pipe()
        pid = get_original('os', 'fork')()
        if pid == 0:
            os.close(reading)
            names = [
                os.readlink(f'/proc/self/fd/{each}')
                for each in os.listdir('/proc/self/fd')
                if os.path.lexists(f'/proc/self/fd/{each}')
            ]
            sockets = [name for name in names if name.startswith('socket:')]
            os.write(writing, f'{len(sockets)} {container.operations}'.encode())
            os._exit(0)
        os.close(writing)
        told = os.read(reading, 1000).decode()
        os.close(reading)
        os.waitpid(pid, 0)
        # of all sockets the child has only the copy of the client's, not those of the server
        assert told.split() == ['1', 'None']
        open_one.sendall(b'GET /livez HTTP/1.0\r\n\r\n')
        assert b'200 OK' in in_thread(open_one.recv, 1000)
    assert get(container, '/livez') == (200, 'ok\n')
