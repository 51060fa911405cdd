"""Names are looked up within a timeout, whatever the name servers do."""

from __future__ import annotations

import socket

import gevent
import pytest

import lymph
from lymph.client import Client
from lymph.config import Configuration
from lymph.core._system.connecting import create_connection
from lymph.core._system.resolving import SLOW_THREADS, THREADS, Resolver
from lymph.core.container import ServiceContainer
from lymph.exceptions import NotConnected
from lymph.testing.faults.names import SilentNames
from lymph.testing.waiting import eventually


@pytest.fixture
def names():
    with SilentNames() as names:
        yield names


@pytest.fixture
def resolver(names):
    return Resolver()


@pytest.mark.parametrize('host', ['127.0.0.1', '::1', 'fe80::1%lo'])
def test_numeric_address_is_not_looked_up(names, resolver, host):
    ((family, address),) = resolver.addresses(host, 80, 0)
    assert family == (socket.AF_INET6 if ':' in host else socket.AF_INET)
    assert address[:2] == (host.partition('%')[0], 80)
    assert names.asked == {}


def test_name_has_its_addresses_in_order_with_the_given_port(resolver):
    found = [address for _, address in resolver.addresses('two.here', 4000, 5)]
    assert found == [('127.0.0.2', 4000), ('127.0.0.1', 4000)]


def test_look_up_ends_with_an_error_after_its_timeout(resolver):
    with pytest.raises(socket.gaierror, match=r'the name a\.silent was not looked up within 0\.01'):
        resolver.addresses('a.silent', 1, 0.01)


def test_name_that_is_not_found_is_not_looked_up_again_at_once(names, resolver):
    for _ in range(5):
        with pytest.raises(socket.gaierror, match='Name or service not known'):
            resolver.addresses('a.gone', 1, 5)
    assert names.asked['a.gone'] == 1


@pytest.mark.parametrize('name', ['a..b', 'x' * 64, '\udcff'])
def test_impossible_name_is_not_found(resolver, name):
    with pytest.raises(socket.gaierror):
        resolver.addresses(name, 1, 5)


def test_name_uses_one_thread_for_any_number_of_callers(names, resolver, spawn):
    askers = [spawn(resolver.addresses, 'a.silent', port, 0.05) for port in range(20)]
    gevent.joinall(askers)
    with pytest.raises(socket.gaierror):
        resolver.addresses('a.silent', 1, 0.01)
    assert names.asked['a.silent'] == 1
    names.speak()


def ask_in_vain(resolver, count, spawn):
    askers = [spawn(resolver.addresses, f'{n}.silent', 1, 0.02) for n in range(count)]
    gevent.joinall(askers)
    assert all(isinstance(asker.exception, socket.gaierror) for asker in askers)


def test_many_names_without_an_answer_leave_threads_for_others(names, resolver, spawn):
    for _ in range(2):
        ask_in_vain(resolver, SLOW_THREADS, spawn)
        assert resolver.addresses('b.here', 1, 5)
    assert names.waiting <= SLOW_THREADS


def test_a_name_that_waits_for_a_thread_gets_it_when_one_is_free(names, resolver, spawn):
    ask_in_vain(resolver, THREADS, spawn)
    waiting = spawn(resolver.addresses, 'b.here', 1, 30)
    gevent.sleep(0)
    assert names.asked['b.here'] == 0
    names.speak()
    assert waiting.get(timeout=30)


def test_queued_name_without_waiting_callers_is_not_looked_up(names, resolver, spawn):
    ask_in_vain(resolver, THREADS, spawn)
    with pytest.raises(socket.gaierror):
        resolver.addresses('late.here', 1, 0.01)
    names.speak()
    assert resolver.addresses('b.here', 1, 5)
    assert names.asked['late.here'] == 0


def test_host_whose_full_name_is_not_found_in_time_has_its_plain_name(names, resolver):
    assert resolver.full_name(0.01) == socket.gethostname()
    names.speak()
    assert resolver.full_name(5) == f'{socket.gethostname()}.example'


def test_a_connection_is_made_to_the_first_address_that_answers(names):
    with socket.create_server(('127.0.0.1', 0)) as server:
        port = server.getsockname()[1]
        with create_connection(('two.here', port), 5) as sock:
            assert sock.getpeername() == ('127.0.0.1', port)


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text):
        return text


@pytest.fixture
def service():
    container = ServiceContainer.from_config(
        Configuration(
            {'container': {'events': {'class': 'null'}, 'registry': {'class': 'static'}}}
        ).view('container')
    )
    container.install_interface(Echo, 'echo')
    yield container
    container.stop()


def test_a_start_does_not_wait_for_a_silent_name_server(names, service):
    service.start()
    (instance,) = service.registry.get('echo')
    assert instance.fqdn == socket.gethostname()


@pytest.mark.parametrize('transport', ['zmtp', 'zeromq'])
def test_peers_with_unknown_names_do_not_affect_others(names, service, spawn, transport):
    service.start()
    port = service.endpoint.rpartition(':')[2]
    section = {'rpc': {'transport': transport}, 'registry': {'class': 'static'}}
    with Client.from_config(Configuration({'container': section})) as client:
        lost = [
            spawn(
                client.request,
                f'tcp://{transport}{n}.silent:1',
                'echo.echo',
                {'text': 'x'},
                timeout=2,
            )
            for n in range(20)
        ]
        eventually(lambda: names.waiting >= 20)
        assert client.request(f'tcp://two.here:{port}', 'echo.echo', text='x', timeout=2) == 'x'
        assert client.request(f'tcp://127.0.0.1:{port}', 'echo.echo', text='x', timeout=2) == 'x'
        for call in lost:
            with pytest.raises(NotConnected):
                call.get(timeout=10)
