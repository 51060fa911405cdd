"""`lymph tail` with real instances and with publishers of every kind."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator
from typing import Any, cast

import pytest
import zmq

from lymph.cli._running.log_following import LogReader, watch
from lymph.core.services import Service, ServiceInstance
from lymph.testing.waiting import eventually

SHOP = """
import logging
import lymph

log = logging.getLogger('shop.orders')

class Shop(lymph.Interface):
    @lymph.rpc()
    def order(self, what='tea', times=1):
        for number in range(times):
            log.info('order %d of %s', number, what)

    @lymph.rpc()
    def warn(self):
        log.warning('out of tea')

    @lymph.rpc()
    def fail(self):
        raise ValueError('no sugar')
"""

CONFIG = """
container: {{log_endpoint: "{endpoint}"}}
interfaces: {{shop: {{class: "shop:Shop"}}}}
"""


@pytest.fixture
def shop(shell: Any) -> Any:
    shell.write('shop.py', SHOP)
    shell.write('shop.yml', CONFIG.format(endpoint='tcp://127.0.0.1'))
    return shell


def start(shop: Any) -> Any:
    running = shop.start('instance', '--config=shop.yml')
    running.said('shop at tcp://')
    return running


def follow(shop: Any, *options: str) -> Any:
    """Start `lymph tail` and wait until it receives log records."""
    tail = shop.start('tail', 'shop', *options)
    tail.said(' at tcp://')

    def heard() -> bool:
        shop.run('request', 'shop.fail')
        return bool(tail.stdout)

    eventually(heard, 30)
    return tail


def test_records_of_all_instances_are_printed_as_they_arrive(shop: Any) -> None:
    start(shop)
    tail = follow(shop)
    shop.run('request', 'shop.order', '{"what": "coffee\\u001b[2J"}')
    tail.said('order 0 of coffee\\x1b[2J')
    [line] = [line for line in tail.stdout.splitlines() if 'coffee' in line]
    form = (
        r'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3} INFO     shop [0-9a-f]{8} shop\.orders \[\w{32}\] '
    )
    assert re.match(form, line)
    later = start(shop)  # an instance that comes later
    tail.said(f'following shop {identity_of(shop, later.pid)[:8]} at tcp://')
    later.signal(signal.SIGTERM)
    later.end()
    tail.said('is gone')
    tail.signal(signal.SIGINT)
    assert tail.end() == 130


def identity_of(shop: Any, pid: int) -> str:
    found = json.loads(shop.run('discover', '--instances', '--json').stdout)
    text = json.dumps(found)
    match = re.search(rf'\{{[^{{}}]*"pid": {pid}[^{{}}]*\}}', text)
    assert match, text
    return str(json.loads(match[0])['identity'])


def test_a_traceback_follows_its_line_indented(shop: Any) -> None:
    start(shop)
    tail = follow(shop)
    lines = tail.stdout.splitlines()
    assert lines[0].endswith('shop.fail failed')
    assert lines[1] == '  Traceback (most recent call last):'
    assert '  ValueError: no sugar' in lines


def test_filters_select_records(shop: Any) -> None:
    start(shop)
    warnings = follow(shop, '--level=warning')
    sugar = follow(shop, '--grep=no s.gar', '--json')
    shop.run('request', 'shop.order')
    shop.run('request', 'shop.warn')
    warnings.said('out of tea')
    shop.run('request', 'shop.fail')
    assert 'order 0' not in warnings.stdout
    entries = [json.loads(line) for line in sugar.stdout.splitlines()]
    assert entries
    assert all('no sugar' in entry['exception'] for entry in entries)
    trace = entries[0]['trace_id']
    assert entries[0]['service'] == 'shop'
    assert entries[0]['level'] == 'ERROR'
    assert len(trace) == 32
    traced = shop.start('tail', 'shop', f'--trace={trace}')
    traced.said(' at tcp://')
    shop.run('request', 'shop.fail')
    warnings.said('no sugar')
    assert traced.stdout == ''


def test_service_without_instances_is_waited_for(shop: Any) -> None:
    tail = shop.start('tail', 'shop')
    tail.said("waiting for shop: expected an instance of service 'shop', none is registered")
    start(shop)
    tail.said('following shop ')


def test_an_instance_that_publishes_no_log_is_named(shop: Any) -> None:
    shop.write('shop.yml', 'interfaces: {shop: {class: "shop:Shop"}}')
    start(shop)
    tail = shop.start('tail', 'shop')
    tail.said(' publishes no log; see container.log_endpoint')


def test_a_restart_at_the_same_endpoint_is_followed_and_nothing_is_printed_twice(
    shop: Any,
) -> None:
    with zmq.Context() as context, context.socket(zmq.PUB) as free:
        port = free.bind_to_random_port('tcp://127.0.0.1')
    shop.write('shop.yml', CONFIG.format(endpoint=f'tcp://127.0.0.1:{port}'))
    first = start(shop)
    tail = follow(shop)
    first.signal(signal.SIGTERM)
    first.end()
    second = start(shop)
    tail.said(f'following shop {identity_of(shop, second.pid)[:8]}')

    def heard() -> bool:
        shop.run('request', 'shop.warn')
        return 'out of tea' in tail.stdout

    eventually(heard, 30)
    shop.run('request', 'shop.order', '{"what": "one cup"}')
    tail.said('one cup')
    shop.run('request', 'shop.warn')
    assert tail.stdout.count('one cup') == 1


def test_stopped_reader_learns_what_it_lost_and_does_not_block_the_service(
    shop: Any,
) -> None:
    start(shop)
    tail = follow(shop)
    tail.signal(signal.SIGSTOP)
    for _ in range(4):
        done = shop.run('request', 'shop.order', '{"times": 20000}', '--timeout=20')
        assert done.exit_code == 0
    tail.signal(signal.SIGCONT)

    def told() -> bool:
        shop.run('request', 'shop.warn')
        return ' records were lost' in tail.stderr

    eventually(told, 30)
    assert tail.process.poll() is None


def test_fixed_endpoint_for_several_processes_is_rejected_by_the_node(shop: Any) -> None:
    shop.write('shop.yml', CONFIG.format(endpoint='tcp://127.0.0.1:4126'))
    shop.write(
        '.lymph.yml', "instances:\n  a: {command: 'lymph instance -c shop.yml', numprocesses: 2}\n"
    )
    done = shop.run('node')
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert '2 processes cannot all listen at port 4126 (shop.yml:2: container.log_endpoint)' in line


class Registered:
    """A registry that knows one service, which a test changes."""

    def __init__(self, *instances: ServiceInstance) -> None:
        self.service = Service('shop')
        self.service.update(instances)

    def get(self, name: str, kind: str) -> Service:
        return self.service


def instance(version: str | None, port: int = 1) -> ServiceInstance:
    return ServiceInstance(
        'a' * 32, 'tcp://127.0.0.1:9', version, log_endpoint=f'tcp://127.0.0.1:{port}'
    )


@pytest.fixture
def reader() -> Iterator[LogReader]:
    with LogReader() as reader:
        yield reader


def test_instance_is_followed_until_its_last_wanted_version_is_gone(
    reader: LogReader, capsys: Any
) -> None:
    one, two, three = instance('1.0.0'), instance('2.0.0'), instance('3.0.0')
    registry: Any = Registered(one, two, three)
    watch(registry, 'shop', lambda each: each.version != '3.0.0', reader)
    registry.service.remove(one.key)
    registry.service.remove(three.key)
    assert capsys.readouterr().err == 'following shop aaaaaaaa at tcp://127.0.0.1:1\n'
    registry.service.remove(two.key)
    assert capsys.readouterr().err == 'shop aaaaaaaa is gone\n'


def test_instance_is_followed_while_another_service_of_it_is_wanted(
    reader: LogReader, capsys: Any
) -> None:
    shop, stock = (Registered(instance(None)) for _ in range(2))
    watch(cast(Any, shop), 'shop', lambda each: True, reader)
    watch(cast(Any, stock), 'stock', lambda each: True, reader)
    shop.service.update([])
    assert 'gone' not in capsys.readouterr().err
    stock.service.update([])
    assert 'is gone' in capsys.readouterr().err


def test_instance_is_followed_to_another_endpoint(reader: LogReader, capsys: Any) -> None:
    registry: Any = Registered(instance(None))
    watch(registry, 'shop', lambda each: True, reader)
    registry.service.update([instance(None, 2)])
    registry.service.update([])
    assert capsys.readouterr().err.splitlines() == [
        'following shop aaaaaaaa at tcp://127.0.0.1:1',
        'following shop aaaaaaaa at tcp://127.0.0.1:2',
        'shop aaaaaaaa is gone',
    ]
