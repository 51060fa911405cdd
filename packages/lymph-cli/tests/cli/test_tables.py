"""Tables and descriptions of what runs, through pipes and on terminals of 40 and 80 columns."""

from __future__ import annotations

import json
import re
import shlex
import socket
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0
README = Path(__file__).parents[2] / 'README.md'

SERVICE = """
from __future__ import annotations
from dataclasses import dataclass

import lymph
from lymph.patterns.serial_events import serial_event

@dataclass
class Order:
    '''What somebody buys.'''
    article: str
    count: int = 1

class Echo(lymph.Interface):
    @lymph.rpc()
    def upper(self, text: str) -> str:
        '''Return the text in capital letters.'''
        return text.upper()

class Shop(lymph.Interface):
    '''Sells things.'''

    @lymph.rpc(raises=(KeyError, ValueError), idempotent=True)
    def price(self, order: Order, currency: str = 'EUR', **more) -> int | None:
        '''Return the price.'''

    @lymph.event('order.*', 'order', retry=3, sequential=True, queue_name='orders')
    def on_order(self, event):
        pass

    @lymph.event('shop.trouble')
    def on_trouble(self, event):
        raise ValueError('out of tea, ' * 10)

    @serial_event('stock', partition_count=2)
    def on_stock(self, event):
        '''Count what is there.'''

    @lymph.task()
    def mail(self, to: str):
        '''Send a mail.'''
"""

_STYLE = re.compile(r'\x1b\[[0-9;?]*[A-Za-z]')


@dataclass
class Stage:
    """A folder with a configuration, in which commands are run."""

    forking: Any
    folder: Path
    environ: dict[str, str]
    identity: str = ''
    endpoint: str = ''

    def run(self, *arguments: str) -> Any:
        return self.forking.piped(arguments, self.folder, self.environ)

    def table(self, *arguments: str) -> list[list[str]]:
        """Return the rows that a command prints, after checking them on terminals too."""
        done = self.run(*arguments)
        assert (done.exit_code, done.stderr) == (0, '')
        assert '\x1b' not in done.stdout
        return self.alike(done.stdout, *arguments)

    def alike(self, piped: str, *arguments: str) -> list[list[str]]:
        """Expect a command to print the same lines on terminals, except for ages."""
        rows = [line.split() for line in piped.splitlines()]
        for columns in (40, 80):
            shown = self.forking.on_terminal(arguments, self.folder, self.environ, columns)
            assert '\x1b[1m' in shown.stdout
            lines = _STYLE.sub('', shown.stdout).splitlines()
            assert [line.split()[:-1] for line in lines] == [row[:-1] for row in rows]
        return rows


@pytest.fixture(scope='module')
def stage(forking: Any, shared_shell: Any, tmp_path_factory: Any) -> Stage:
    """Two versions of a service in one instance."""
    shared_shell.write('shop.py', SERVICE)
    versions = ''.join(
        f'  shop@{version}: {{class: "shop:Shop"}}\n' for version in ('2.0.0', '10.1.0')
    )
    shared_shell.write('shop.yml', f'interfaces:\n  echo: {{class: "shop:Echo"}}\n{versions}')
    shared_shell.start('instance', '--config=shop.yml').said(' at tcp://')
    environ = {
        'HOME': str(shared_shell.folder),
        'LANG': 'C.UTF-8',
        'LYMPH_STATE_DIR': shared_shell.environ['LYMPH_STATE_DIR'],
        'PATH': f'{Path(sys.executable).parent}:/usr/bin:/bin',
        'TERM': 'xterm-256color',
    }
    stage = Stage(forking, tmp_path_factory.mktemp('folder'), environ)
    [facts, _] = json.loads(stage.run('discover', 'shop', '--json').stdout)['shop']
    stage.identity, stage.endpoint = facts['identity'], facts['endpoint']
    return stage


# discover


def test_services_are_listed_with_the_number_of_healthy_instances(stage: Stage) -> None:
    titles, *rows = stage.table('discover')
    assert titles == ['SERVICE', 'INSTANCES', 'HEALTHY', 'AGE']
    assert [row[:3] for row in rows] == [['echo', '1', '1'], ['shop', '2', '2']]
    assert re.fullmatch(r'\d+(s|min)', rows[0][3])


def test_versions_are_sorted_as_numbers(stage: Stage) -> None:
    titles, *rows = stage.table('discover', 'shop', '--versions')
    assert titles == ['SERVICE', 'VERSION', 'INSTANCES', 'HEALTHY', 'AGE']
    assert [row[:4] for row in rows] == [['shop', '2.0.0', '1', '1'], ['shop', '10.1.0', '1', '1']]


def test_instances_are_listed_with_uncut_identities_and_endpoints(stage: Stage) -> None:
    titles, *rows = stage.table('discover', 'shop', '--instances', '--versions')
    assert titles == ['SERVICE', 'IDENTITY', 'VERSION', 'ENDPOINT', 'HTTP', 'HEALTH', 'AGE']
    assert [row[:-1] for row in rows] == [
        ['shop', stage.identity, version, stage.endpoint, '-', 'ok']
        for version in ('2.0.0', '10.1.0')
    ]


def test_all_facts_of_an_instance_are_shown(stage: Stage) -> None:
    done = stage.run('discover', 'shop@10', '--full')
    facts = dict(line.split(maxsplit=1) for line in done.stdout.splitlines() if line)
    assert facts['identity'] == stage.identity
    assert facts['endpoint'] == stage.endpoint
    assert (facts['service'], facts['version']) == ('shop@10', '10.1.0')
    assert (facts['namespaces'], facts['health'], facts['http_port']) == ('rpc', 'ok', '-')
    [known] = json.loads(stage.run('discover', 'shop@10', '--json').stdout)['shop@10']
    assert {'service', *known} == facts.keys()
    assert known['http_port'] is None
    assert known['health'] == 'ok'


def test_groups_of_serial_handlers_are_listed_with_all(stage: Stage) -> None:
    titles, *rows = stage.table('discover', '--all')
    assert titles == ['SERVICE', 'NAMESPACES', 'INSTANCES', 'HEALTHY', 'AGE']
    assert [row[:4] for row in rows] == [
        ['echo', 'rpc', '1', '1'],
        ['shop', 'rpc', '2', '2'],
        ['shop.on_stock', 'serial', '1', '-'],
    ]


def test_instance_is_named_by_a_prefix_of_its_identity(stage: Stage) -> None:
    name = f'shop@10:{stage.identity[:3]}'
    _, row = stage.table('discover', name, '--no-health')
    assert row == [name, '1', '-', row[3]]
    missing = stage.run('discover', 'shop:zz')
    assert (missing.exit_code, missing.stdout) == (1, '')
    assert missing.stderr == f"lymph: no instance 'shop:zz'; there are: shop:{stage.identity}\n"


@pytest.mark.parametrize(
    'command',
    [['discover'], ['inspect'], ['change-loglevel', 'root', 'DEBUG'], ['shell', '--remote']],
)
def test_missing_service_is_a_failure_with_a_suggestion(stage: Stage, command: list[str]) -> None:
    done = stage.run(command[0], *_named(command, 'shpo'))
    assert (done.exit_code, done.stdout) == (1, '')
    [line] = done.stderr.splitlines()
    assert 'none is registered' in line
    assert "did you mean 'shop'?" in line


def _named(command: list[str], name: str) -> list[str]:
    """Return the arguments of a command that names a service."""
    return [*command[1:], name] if command[0] == 'shell' else [name, *command[1:]]


def test_one_instance_is_addressed_by_a_prefix_of_its_identity(stage: Stage) -> None:
    done = stage.run('change-loglevel', f'shop:{stage.identity[:2]}', 'root', 'WARNING')
    assert (done.exit_code, done.stderr) == (0, '')
    assert done.stdout.split() == [stage.endpoint, 'root', 'WARNING']
    address = f'--address=echo:{stage.identity[:5]}'
    assert stage.run('request', 'echo.upper', 'text=foo', address).stdout == "'FOO'\n"
    for command in (
        ['inspect'],
        ['tail'],
        ['change-loglevel', 'root', 'DEBUG'],
    ):
        done = stage.run(command[0], 'shop:zz', *command[1:])
        assert done.exit_code == 1
        assert f"no instance 'shop:zz'; there are: shop:{stage.identity}\n" in done.stderr
    done = stage.run('inspect', 'nowhere:4123')
    assert 'an endpoint is written tcp://nowhere:4123' in done.stderr


def test_silent_instance_is_distinguished_from_an_unreachable_one(stage: Stage) -> None:
    with socket.create_server(('127.0.0.1', 0)) as silent:
        address = f'tcp://127.0.0.1:{silent.getsockname()[1]}'
        services = {'shop': [stage.endpoint, 'tcp://127.0.0.1:1'], 'mute': [address] * 2}
        container = {'registry': {'class': 'static', 'services': services}}
        config = stage.folder / 'fixed.yml'
        config.write_text(json.dumps({'container': container}))
        listed = stage.run('discover', '-i', '-c', 'fixed.yml').stdout
        health = {(row[0], row[3]): row[5] for row in map(str.split, listed.splitlines()[1:])}
    assert health == {
        ('mute', address): 'silent',
        ('shop', 'tcp://127.0.0.1:1'): 'unreachable',
        ('shop', stage.endpoint): 'ok',
    }


# inspect


def test_service_is_described_with_everything_callers_and_operators_need(stage: Stage) -> None:
    shown = stage.run('inspect', 'shop@10').stdout
    assert shown == DESCRIBED
    for columns in (40, 80):
        on_terminal = stage.forking.on_terminal(
            ['inspect', 'shop@10'], stage.folder, stage.environ, columns
        )
        assert _STYLE.sub('', on_terminal.stdout).split() == shown.split()
    by_identity = stage.run('inspect', f'shop@10:{stage.identity[:4]}', '--json')
    assert by_identity == stage.run('inspect', 'shop@10', '--json')
    facts = json.loads(by_identity.stdout)
    assert facts['identity'] == stage.identity
    assert [each['name'] for each in facts['events']] == [
        'shop.on_order',
        'shop.on_stock',
        'shop.on_trouble',
    ]
    [price] = facts['methods']
    assert price['raises'] == ['KeyError', 'ValueError']
    assert price['parameters_schema']['$defs']['Order']['required'] == ['article']


DESCRIBED = """interface shop@10.1.0
    Sells things.

shop.price@10.1.0(order: Order, currency: str = 'EUR', **) -> int | None
    Return the price.
    raises: KeyError, ValueError
    type Order(article: text, count: whole number = 1) - What somebody buys.
    idempotent

event shop.on_order@10.1.0
    topics: order.*, order
    queue: shop.orders
    retry: 3
    sequential

event shop.on_stock@10.1.0
    Count what is there.
    topics: stock
    queue: shop.on_stock
    partitions: 2

event shop.on_trouble@10.1.0
    topics: shop.trouble
    queue: shop.on_trouble

task shop.mail@10.1.0(to: str)
    Send a mail.
    queue: shop.mail

"""


# the README


def test_the_first_example_of_the_readme_is_true(stage: Stage) -> None:
    [block] = re.findall(r'```console\n(.*?)```', README.read_text(), re.DOTALL)[:1]
    played = 0
    for command, shown in re.findall(r'^\$ lymph (.*)\n((?:(?!\$ ).*\n)*)', block, re.MULTILINE):
        if command.startswith(('discover', 'inspect', 'request')):
            done = stage.run(*shlex.split(command))
            # another service runs in this instance
            lines = [line for line in done.stdout.splitlines() if not line.startswith('shop')]
            assert _without_what_differs(lines) == _without_what_differs(shown.splitlines())
            played += 1
    assert played == 4


def _without_what_differs(lines: list[str]) -> list[str]:
    differs = {r'\b[0-9a-f]{16}\b': 'IDENTITY', r':\d+': ':PORT', r'\d+(s|min)$': 'AGE'}
    found = []
    for line in lines:
        for pattern, name in differs.items():
            line = re.sub(pattern, name, line)
        found.append(' '.join(line.split()) if 'PORT' in line else line)
    return [line for line in found if line]


# queues and dlq


@pytest.fixture(scope='module')
def dead(stage: Stage) -> list[str]:
    """The ids of twelve dead letters."""
    for number in range(12):
        assert stage.run('emit', 'shop.trouble', f'n:={number}').exit_code == 0

    def ids() -> list[str]:
        return [each['id'] for each in json.loads(stage.run('dlq', 'list', '--json').stdout)]

    eventually(lambda: len(ids()) == 12, PATIENCE)
    return ids()


def test_queues_are_a_table_with_uncut_names(stage: Stage, dead: list[str]) -> None:
    titles, *rows = stage.table('queues')
    assert titles[:2] == ['QUEUE', 'WAITING']
    assert [row[0] for row in rows] == sorted(row[0] for row in rows)
    assert {'shop.mail', 'shop.orders'} <= {row[0] for row in rows}


def test_dead_letters_are_a_table_with_uncut_ids(stage: Stage, dead: list[str]) -> None:
    titles, *rows = stage.table('dlq', 'list')
    assert titles == ['ID', 'DIED', 'QUEUE', 'TYPE', 'ATTEMPTS', 'ERROR']
    assert [row[0] for row in rows] == dead
    assert rows[0][2:5] == ['shop.on_trouble', 'shop.trouble', '1']
    since = stage.run('dlq', 'list', '--since', rows[0][1], '--json')
    assert len(json.loads(since.stdout)) == 12


def test_dead_letter_is_shown_by_a_prefix_of_its_id_and_settled_by_a_complete_number(
    stage: Stage, dead: list[str]
) -> None:
    assert {'1', '12'} <= set(dead)
    shown = json.loads(stage.run('dlq', 'show', '1', '12', '--json').stdout)
    assert [each['id'] for each in shown] == ['1', '12']
    assert stage.run('dlq', 'drop', '1', '10', '11', '--yes').exit_code == 0
    [left] = json.loads(stage.run('dlq', 'show', '1', '--json').stdout)
    assert left['id'] == '12'
    for command in (['replay'], ['drop', '--yes']):
        done = stage.run('dlq', command[0], '1', *command[1:])
        assert done.exit_code == 1
        assert "no dead letter '1'" in done.stderr
    done = stage.run('dlq', 'show', '')
    assert (done.exit_code, done.stderr.count('\n')) == (2, 1)
