"""`lymph trace` over real instances: HTTP, calls, an event that is tried again, a task."""

from __future__ import annotations

import json
import re
import signal
import time
import urllib.request
from typing import Any

import pytest

from lymph.testing.waiting import eventually

SERVICES = """
import gevent
import lymph
from lymph.web import WebServiceInterface
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

class Shop(WebServiceInterface):
    url_map = Map([Rule('/orders', endpoint='order'), Rule('/fail', endpoint='fail')])
    stock = lymph.proxy('stock', timeout=30)

    def order(self, request):
        self.stock.take(item='apple')
        return Response('ordered')

    def fail(self, request):
        self.stock.burn()

class Stock(lymph.Interface):
    mail = lymph.proxy('mail', timeout=30)

    @lymph.rpc()
    def take(self, item):
        self.mail.look_up()
        self.emit('taken', {'item': item})

    @lymph.rpc()
    def hang(self):
        gevent.sleep(600)

    @lymph.rpc()
    def burn(self):
        raise OSError('secret')

class Mail(lymph.Interface):
    @lymph.rpc()
    def look_up(self):
        pass

    @lymph.event('taken', retry=3)
    def on_taken(self, event):
        if event.attempt == 1:
            raise ConnectionError('not yet')
        self.send.apply(to=event['item'])

    @lymph.task()
    def send(self, to):
        pass
"""

TREE = [
    'GET /orders',
    '  call stock.take',
    '    call mail.look_up',
    '    emit taken',
    '      event mail.on_taken',
    '      event mail.on_taken (attempt 2)',
    '        apply mail.send',
    '          task mail.send',
]


class Services:
    """A shop in four processes, and commands that ask them."""

    def __init__(self, shell: Any, forking: Any) -> None:
        shell.write('shop.py', SERVICES)
        for name in ('shop', 'stock', 'mail'):
            text = f'{{class: "shop:{name.capitalize()}"}}'
            shell.write(f'{name}.yml', f'interfaces: {{{name}: {text}}}\n')
        self.instances = {
            name: shell.start('instance', f'--config={name}.yml')
            for name in ('shop', 'stock', 'mail')
        }
        self.start = shell.start
        self.worker = shell.start('worker', '--config=mail.yml')
        for name, each in self.instances.items():
            each.said(f'{name} at tcp://')
        self.worker.said('mail')
        self.http = re.search(r'http://\S+?:\d+', self.instances['shop'].stderr)[0]  # type: ignore[index]  # it said so
        self._run = lambda *words: forking.piped(words, shell.folder, shell.environ)
        self._on_terminal = lambda *words: forking.on_terminal(
            words, shell.folder, shell.environ, 160
        )

    def run(self, *words: str) -> Any:
        return self._run('trace', *words)

    def on_terminal(self, *words: str) -> Any:
        return self._on_terminal('trace', *words)

    def get(self, path: str, trace_id: str) -> int:
        request = urllib.request.Request(f'{self.http}{path}', headers={'X-Trace-Id': trace_id})
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return int(answer.status)
        except urllib.error.HTTPError as error:
            return error.code


@pytest.fixture(scope='module')
def services(shared_shell: Any, forking: Any) -> Services:
    return Services(shared_shell, forking)


@pytest.fixture(scope='module')
def order(services: Services) -> str:
    """The id of a trace that has ended."""
    assert services.get('/orders', 'order-1') == 200

    def ended() -> bool:
        found = json.loads(services.run('order-1', '--json').stdout)
        return len(found['units']) == 10 and not found['running']

    eventually(ended, 30, lambda: services.run('order-1').stdout)
    return 'order-1'


def rows(text: str) -> list[list[str]]:
    return [re.split(r'\s{2,}', line, maxsplit=5) for line in text.splitlines()]


def test_tree_goes_over_http_calls_events_attempts_and_tasks(
    services: Services, order: str
) -> None:
    done = services.run(order)
    assert done.exit_code == 0, done.stderr
    titles, *found = rows(done.stdout)
    assert titles == ['START', 'DURATION', 'OUTCOME', 'SERVICE', 'INSTANCE', 'WORK']
    assert [row[5] for row in found] == [line.strip() for line in TREE], done.stdout
    work = done.stdout.splitlines()[0].index('WORK')
    assert [line[work:] for line in done.stdout.splitlines()[1:]] == TREE
    assert [row[3] for row in found] == [
        *('shop', 'stock', 'mail', 'stock', 'mail', 'mail', 'mail', 'mail.worker'),
    ]
    assert [row[2] for row in found] == ['200', *['ok'] * 3, 'ConnectionError', *['ok'] * 3]
    assert re.fullmatch(
        rf'trace {order}: ok, began at \S+, \S+ in all, 10 units of work in 4 instances, 1 failed',
        done.stderr.strip(),
    )


def test_json_has_parents_and_all_units(services: Services, order: str) -> None:
    found = json.loads(services.run(order, '--json').stdout)
    units = found['units']
    parents = [None if each['parent'] is None else units[each['parent']] for each in units]
    caused = [
        (each['kind'], each['name'], parent and (parent['kind'], parent['name']))
        for each, parent in zip(units, parents, strict=True)
    ]
    taken = ('emit', 'taken')
    assert caused == [
        ('http', 'GET /orders', None),
        ('call', 'stock.take', ('http', 'GET /orders')),
        ('rpc', 'stock.take', ('call', 'stock.take')),
        ('call', 'mail.look_up', ('rpc', 'stock.take')),
        ('rpc', 'mail.look_up', ('call', 'mail.look_up')),
        ('emit', 'taken', ('rpc', 'stock.take')),
        ('event', 'mail.on_taken', taken),
        ('event', 'mail.on_taken', taken),
        ('emit', 'lymph.task.mail.send', ('event', 'mail.on_taken')),
        ('task', 'mail.send', ('emit', 'lymph.task.mail.send')),
    ]
    assert {source['service'] for source in found['sources']} == {
        *('shop', 'stock', 'mail', 'mail.worker'),
    }
    assert 'apple' not in json.dumps(found)


def test_terminal_shows_when_each_unit_was_at_work(services: Services, order: str) -> None:
    shown = services.on_terminal(order, '--color').stdout
    assert 'TIME' in shown
    assert '=' * 24 not in shown.splitlines()[-2]


def test_failure_is_found_without_its_id(services: Services) -> None:
    assert services.get('/fail', 'burnt') == 502
    titles, *found = rows(services.run('--failed').stdout)
    assert titles[0] == 'TRACE'
    (row,) = [row for row in found if row[0] == 'burnt']
    assert (row[3], row[4], row[5].split()[-2:]) == ('502', '3', ['GET', '/fail'])
    _, *tree = rows(services.run('burnt').stdout)
    assert [row[2] for row in tree] == ['502', 'failed (OSError)']


def test_latest_traces_are_listed_newest_first(services: Services, order: str) -> None:
    services.get('/orders', 'order-2')
    found = json.loads(services.run('--limit=1', '--json').stdout)
    assert [each['trace_id'] for each in found['traces']] == ['order-2']
    listed = [row[0] for row in rows(services.run().stdout)[1:]]
    assert listed.index('order-2') < listed.index(order)
    done = services.run('--slow=1h')
    assert (done.exit_code, done.stdout, done.stderr) == (0, '', 'no traces like that\n')


def test_trace_that_nobody_knows_is_a_failure(services: Services) -> None:
    done = services.run('unheard')
    assert (done.exit_code, done.stdout) == (1, '')
    assert 'nothing is known of trace unheard; asked 4 instances' in done.stderr


def test_call_that_hangs_is_shown_with_how_long_it_has_been_running(services: Services) -> None:
    services.start('request', 'stock.hang', '--trace-id=hangs', '--timeout=10min')
    eventually(lambda: 'running' in services.run('hangs').stdout, 30)
    _, row = rows(services.run('hangs').stdout)
    assert re.fullmatch(r'>[0-9.]+m?s', row[1])
    assert (row[2], row[5]) == ('running', 'call stock.hang (its caller is not known)')
    assert services.run('hangs', '--wait=300ms').exit_code == 0


def test_wait_ends_when_nothing_is_running_any_more(services: Services) -> None:
    started = time.monotonic()
    assert services.run('unheard', '--wait=600ms').exit_code == 1
    assert time.monotonic() - started > 0.5
    services.get('/orders', 'order-3')
    assert services.run('order-3', '--wait=30s').exit_code == 0


def test_stopped_instance_is_named_and_not_waited_for(services: Services, order: str) -> None:
    stock = services.instances['stock']
    stock.signal(signal.SIGSTOP)
    try:
        started = time.monotonic()
        done = services.run(order, '--timeout=500ms')
        assert time.monotonic() - started < 10
    finally:
        stock.signal(signal.SIGCONT)
    assert done.exit_code == 0
    assert re.search(r'^stock at tcp://\S+: ', done.stderr, re.MULTILINE)
    work = [row[5] for row in rows(done.stdout)[1:]]
    assert work[:2] == ['GET /orders', 'call stock.take']
    assert 'call mail.look_up (its caller is not known)' in work
    assert 'event mail.on_taken (its emission is not known)' in work
