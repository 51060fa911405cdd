"""`lymph dlq` over the event systems that keep dead letters."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import signal
import sqlite3
import struct
import sys
import termios
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import amqp
import msgpack
import pytest
import redis

from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import eventually

PATIENCE = 60.0

#: Emits events whose handler fails, in the queues QUEUE (durable) and passing (ends with it).
FAIL = """
import logging, sys
import gevent
from lymph.client import Client
from lymph.config import Configuration
from lymph.core.events import Event
from lymph.events.base import Subscription

queue, count = sys.argv[1], int(sys.argv[2])
logging.disable()
config = Configuration()
config.load_file('.lymph.yml')

def fail(event):
    raise ValueError(f'cannot handle {event.body["n"]}')

with Client.from_config(config) as client:
    events = client.container.events
    subscriptions = [Subscription(queue, (f'{queue}.#',), fail)]
    if 'passing' in sys.argv:
        subscriptions.append(Subscription(f'{queue}.passing', (f'{queue}.#',), fail, durable=False))
    for each in subscriptions:
        events.subscribe(each)
    for at in range(0, count, 100):
        some = [
            Event(f'{queue}.{"even" if n % 2 == 0 else "odd"}', {'n': n},
                  headers={'trace_id': f'trace{n}', 'by': 'me'}, id=f'{queue}-{n}')
            for n in range(at, min(at + 100, count))
        ]
        gevent.joinall([gevent.spawn(events.emit, each) for each in some], raise_error=True)
    expected = count * len(subscriptions)
    while sum(each.queue.startswith(queue) for each in events.dead_letters.scan()) < expected:
        gevent.sleep(0.05)
    for each in subscriptions:
        events.unsubscribe(each)
"""

#: Handles the events of a queue and prints a line for each.
HANDLE = """
import json, logging, sys
import gevent
from lymph.client import Client
from lymph.config import Configuration
from lymph.events.base import Subscription

queue = sys.argv[1]
config = Configuration()
config.load_file('.lymph.yml')

def handle(event):
    print(json.dumps([event.id, event.type, event.body['n'], event.headers, event.attempt]),
          flush=True)

with Client.from_config(config) as client:
    client.container.events.subscribe(Subscription(queue, (f'{queue}.#',), handle))
    print('ready', file=sys.stderr, flush=True)
    gevent.sleep(600)
"""


#: An event system in which other processes have the dead letters 0 and 1 of each settling. As over
#: RabbitMQ, 0 is there again afterwards; 1 is settled by the other process.
SHARED = """
from lymph.events._embedded.dead_letters import EmbeddedDeadLetters
from lymph.events.embedded import EmbeddedEventSystem

class SharedLetters(EmbeddedDeadLetters):
    def replay(self, *ids, settled=str):
        super().drop(ids[1])
        return super().replay(*ids[2:], settled=settled)

    def drop(self, *ids, settled=str):
        super().drop(ids[1])
        return super().drop(*ids[2:], settled=settled)

class Shared(EmbeddedEventSystem):
    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.dead_letters = SharedLetters(self._run, self._wake)
"""


class Letters:
    """Creates dead letters in the event system of a shell's folder, and handles replayed ones."""

    def __init__(self, shell: Any, queue: str) -> None:
        self.shell = shell
        self.queue = queue

    def make(self, count: int, *more: str) -> list[dict[str, Any]]:
        """Create dead letters and return them as they are listed."""
        done = self.shell.python(FAIL, self.queue, str(count), *more)
        assert (done.exit_code, done.stderr) == (0, '')
        return self.list()

    def list(self, *options: str) -> list[dict[str, Any]]:
        """Return the dead letters of this test's queue."""
        done = self.run('list', '--queue', self.queue, '--json', '--limit=0', *options)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    def run(self, *arguments: str, **options: Any) -> Any:
        return self.shell.run('dlq', *arguments, **options)

    def state(self, replaying: Any) -> str:
        """Return the output of a replay so far, and the present content of the queues."""
        queues = self.shell.run('queues')
        return (
            f'the replay said {replaying.stderr!r}, its exit code is {replaying.process.poll()}, '
            f'`lymph queues` says {queues.stdout}{queues.stderr}'
        )

    @contextmanager
    def handled(self) -> Iterator[Handled]:
        """Handle the events that return to the queue while the block runs."""
        handler = self.shell.start('-c', HANDLE, self.queue, program=Path(sys.executable))
        handler.said('ready')
        yield Handled(handler)
        handler.signal(signal.SIGKILL)
        handler.end()


class Handled:
    """The events that a handler received: id, type, number, headers and attempt of each."""

    def __init__(self, handler: Any) -> None:
        self._handler = handler

    def __call__(self) -> list[list[Any]]:
        lines = self._handler.stdout.splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith('\n')]

    def numbers(self) -> Counter[int]:
        return Counter(n for _, _, n, _, _ in self())


class Turns:
    """Holds the write lock of an embedded store, and lets single writers through."""

    def __init__(self, store: Path) -> None:
        self._store = store
        self._file = os.open(f'{store}-turn', os.O_RDWR)

    def __enter__(self) -> Turns:
        return self

    def __exit__(self, *error: object) -> None:
        os.close(self._file)

    def take(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_EX)

    def give_up(self) -> None:
        fcntl.flock(self._file, fcntl.LOCK_UN)

    def let_one_through(self) -> None:
        self.give_up()
        time.sleep(0.001)
        self.take()

    def dead_letters(self) -> int:
        with closing(sqlite3.connect(self._store)) as db:
            count: int = db.execute('SELECT count(*) FROM dead_letters').fetchone()[0]
            return count


@pytest.fixture(params=['embedded', 'rabbitmq'])
def letters(request: pytest.FixtureRequest, shell: Any) -> Letters:
    """Dead letters in each of the event systems that share them between processes."""
    events = '{class: embedded}'
    if request.param == 'rabbitmq':
        server = request.getfixturevalue('rabbitmq_server')
        # an exchange of its own, because a look sees the dead letters of all
        name = f'dlq-{os.urandom(4).hex()}'
        events = f'{{class: kombu, urls: "{server.url}", exchange: {name}}}'
    shell.write('.lymph.yml', f'container: {{events: {events}}}\n')
    return Letters(shell, f'shop{os.urandom(4).hex()}')


def test_the_dead_letters_of_redis_are_listed_shown_replayed_and_dropped(
    shell: Any, redis_server: Any
) -> None:
    events = f'{{class: kombu, urls: "{redis_server.url}"}}'
    shell.write('.lymph.yml', f'container: {{events: {events}}}\n')
    letters = Letters(shell, f'shop{os.urandom(4).hex()}')
    ids = [letter['id'] for letter in letters.make(3)]
    assert json.loads(letters.run('show', ids[0], '--json').stdout) == letters.list()[:1]
    with letters.handled() as handled:
        assert letters.run('replay', ids[0], ids[1]).exit_code == 0
        eventually(lambda: len(handled()) == 2, PATIENCE)
    assert [letter['id'] for letter in letters.list()] == ids[2:]
    assert letters.run('drop', ids[2], '--yes').exit_code == 0
    assert letters.list() == []


EVIL = 'a\x1b[2J\x1b]0;owned\x07\r\nforged\u202e'


def deep_sets() -> bytes:
    """Return nested sets, each unpacked by the one around it."""
    value: Any = 1
    for _ in range(200):
        value = msgpack.ExtType(1, msgpack.packb([value]))
    return msgpack.packb({'type': 't', 'id': 'i', 'body': {'deep': value}})


#: What no lymph has written, as events and as the errors of dead letters.
FORGED = [
    b'\xff\x00' + EVIL.encode(),
    b'',
    deep_sets(),
    msgpack.packb({'type': EVIL, 'id': EVIL, 'body': {EVIL: EVIL}, 'headers': {'trace_id': EVIL}}),
    msgpack.packb({'type': 't', 'id': 'i', 'body': {'no JSON': [float('nan'), float('-inf')]}}),
]

#: What no lymph has written, as headers of dead letters.
FORGED_HEADERS: list[dict[str, Any]] = [
    {'lymph-queue': EVIL, 'lymph-error': EVIL, 'lymph-died': 1e300},
    {'lymph-queue': 'q' * 300, 'lymph-error': 'x' * 100_000, 'lymph-attempts': 2**62},
    {},
    {'lymph-queue': {'a': [1]}, 'lymph-error': 5, 'lymph-attempts': 'x', 'lymph-died': 'never'},
    {'lymph-queue': True, 'lymph-emitted': {}, 'lymph-trace-id': [], 'x-death': [[], {'queue': 1}]},
    {'lymph-died': -1e300, 'lymph-emitted': b'5', 'x-death': {'count': -1}},
]


def test_forged_dead_letters_in_rabbitmq_are_listed_shown_replayed_and_dropped(
    shell: Any, rabbitmq_server: Any
) -> None:
    name = f'dlq-{os.urandom(4).hex()}'
    events = f'{{class: kombu, urls: "{rabbitmq_server.url}", exchange: {name}}}'
    shell.write('.lymph.yml', f'container: {{events: {events}}}\n')
    assert shell.run('dlq', 'list').exit_code == 0  # declares the queue
    connection = amqp.Connection(rabbitmq_server.address)
    connection.connect()
    channel = connection.channel()
    channel.confirm_select()
    kind = 'application/x-lymph-msgpack'
    for headers in FORGED_HEADERS:
        for body in FORGED:
            message = amqp.Message(body, content_type=kind, application_headers=headers)
            channel.basic_publish(message, exchange=f'{name}.lymph.dead', routing_key='stranger')
            channel.wait([amqp.spec.Basic.Ack])
    connection.close()
    expect_to_be_sorted_out(shell, len(FORGED_HEADERS) * len(FORGED))


def test_forged_dead_letters_in_redis_are_listed_shown_replayed_and_dropped(
    shell: Any, redis_server: Any
) -> None:
    name = f'dlq-{os.urandom(4).hex()}'
    events = f'{{class: kombu, urls: "{redis_server.url}", exchange: {name}}}'
    shell.write('.lymph.yml', f'container: {{events: {events}}}\n')
    letters = Letters(shell, 'stranger')
    letters.make(len(FORGED))
    host, _, port = redis_server.address.rpartition(':')
    with redis.Redis(host, int(port)) as client:
        for letter, body in zip(client.zrange(f'{name}:dead', 0, -1), FORGED, strict=True):
            fields = {'queue': EVIL, 'record': b'5 ' + body, 'error': EVIL, 'died': '9' * 15}
            client.hset(f'{name}:letter:{letter.decode()}', mapping=fields)
        client.zadd(f'{name}:dead', {'9999': 9999})
        client.set(f'{name}:letter:9999', 'no hash')
    expect_to_be_sorted_out(shell, len(FORGED) + 1)


def test_forged_dead_letters_in_the_embedded_store_are_listed_shown_replayed_and_dropped(
    shell: Any,
) -> None:
    shell.write('.lymph.yml', 'container: {events: {class: embedded}}\n')
    Letters(shell, 'stranger').make(len(FORGED) + 1)
    database = shell.folder / 'state/events/events.sqlite'
    with closing(sqlite3.connect(database)) as db, db:
        for id, body in enumerate(FORGED, 1):
            db.execute(
                "UPDATE dead_letters SET queue = X'ff00', error = CAST(X'ff' AS TEXT), data = ?, "
                "attempts = 'many', emitted = 9e999, died = 'never' WHERE id = ?",
                (body, id),
            )
        db.execute(
            "UPDATE dead_letters SET queue = 5, error = ?, data = 'text', attempts = -1, "
            'emitted = -1e300, died = 9e999 WHERE id = ?',
            (EVIL, len(FORGED) + 1),
        )
    expect_to_be_sorted_out(shell, len(FORGED) + 1)


def expect_to_be_sorted_out(shell: Any, count: int) -> None:
    listed = shell.run('dlq', 'list')
    assert (listed.exit_code, listed.stderr) == (0, '')
    assert '\x1b[2J' not in listed.stdout
    letters = json.loads(shell.run('dlq', 'list', '--json').stdout)
    assert len(letters) == count
    ids = [letter['id'] for letter in letters]
    shown = shell.run('dlq', 'show', ids[0])
    assert (shown.exit_code, shown.stderr) == (0, '')
    assert '\x1b[2J' not in shown.stdout
    assert 'Traceback' not in shell.run('dlq', 'replay', *ids).stderr
    dropped = shell.run('dlq', 'drop', *ids, '--yes')
    assert (dropped.exit_code, 'Traceback' in dropped.stderr) == (0, False)
    assert json.loads(shell.run('dlq', 'list', '--json').stdout) == []


@pytest.fixture
def embedded(shell: Any) -> Letters:
    """Dead letters in the embedded event system, for behaviour that is the same in all."""
    shell.write('.lymph.yml', 'container: {events: {class: embedded}}\n')
    return Letters(shell, 'shop')


# list and show


def test_dead_letters_are_listed_with_their_facts(letters: Letters) -> None:
    first, second = letters.make(2)
    assert first['queue'] == letters.queue
    assert {each['type'] for each in (first, second)} == {
        f'{letters.queue}.even',
        f'{letters.queue}.odd',
    }
    number = first['body']['n']
    assert first['event'] == f'{letters.queue}-{number}'
    assert first['headers'] == {'trace_id': f'trace{number}', 'by': 'me'}
    assert first['trace_id'] == f'trace{number}'
    assert first['error'] == f'ValueError: cannot handle {number}'
    assert first['attempts'] == 1
    assert first['emitted'] <= first['died'] <= second['died']
    titles, *lines = letters.run('list').stdout.splitlines()
    assert titles.split() == ['ID', 'DIED', 'QUEUE', 'TYPE', 'ATTEMPTS', 'ERROR']
    assert [line.split()[0] for line in lines] == [first['id'], second['id']]
    assert lines[0].split()[2:5] == [letters.queue, first['type'], '1']
    assert lines[0].endswith(f'ValueError: cannot handle {number}')


def test_list_show_and_dry_run_change_nothing(letters: Letters) -> None:
    before = letters.make(20)
    letters.run('list')
    letters.run('show', before[7]['id'])
    letters.run('replay', '--all', '--dry-run')
    assert letters.list() == before


def test_filters_are_combined_and_a_limit_selects_the_oldest(letters: Letters) -> None:
    everything = letters.make(10)
    even = [each for each in everything if each['type'].endswith('.even')]
    assert letters.list('--type', '*.even') == even
    assert letters.list('--type', '*.even', '--error', 'HANDLE 4') == [
        each for each in even if each['body']['n'] == 4
    ]
    assert letters.list('--trace', 'trace7')[0]['body'] == {'n': 7}
    assert letters.list('--since', '1h') == everything
    assert letters.list('--older', '1h') == []
    done = letters.run('list', '--type=#.even', '--limit=2', '--json')
    assert json.loads(done.stdout) == even[:2]
    assert '2 of 5 dead letters' in done.stderr


def test_all_facts_of_a_dead_letter_are_shown(letters: Letters) -> None:
    letter = letters.make(1)[0]
    done = letters.run('show', letter['id'])
    assert done.exit_code == 0
    for words in ('trace0', "{'n': 0}", 'ValueError: cannot handle 0', "'by': 'me'", letter['id']):
        assert words in done.stdout
    assert json.loads(letters.run('show', letter['id'], '--json').stdout) == [letter]


def spoil(shell: Any, data: bytes) -> None:
    """Overwrite the bytes of all dead letters."""
    database = shell.folder / 'state/events/events.sqlite'
    with closing(sqlite3.connect(database)) as db, db:
        db.execute('UPDATE dead_letters SET data = ?', (data,))


def nested(count: int, around: Callable[[bytes], bytes]) -> bytes:
    """An empty list inside `count` containers, as msgpack."""
    data = b'\x90'
    for _ in range(count):
        data = around(data)
    return data


@pytest.mark.parametrize(
    'data',
    [
        b'\xc1',
        nested(200, lambda data: msgpack.packb(msgpack.ExtType(1, b'\x91' + data))),
        nested(50_000, lambda data: b'\x91' + data),
    ],
    ids=['no msgpack', 'sets in sets', 'deep'],
)
def test_malformed_event_is_listed_shown_and_dropped_too(
    embedded: Letters, shell: Any, data: bytes
) -> None:
    embedded.make(1)
    spoil(shell, data)
    [letter] = embedded.list()
    assert 'type' not in letter
    assert embedded.run('list').stdout.splitlines()[1].split()[3:5] == ['?', '1']
    assert repr(data[:1])[:-1] in embedded.run('show', letter['id']).stdout
    assert embedded.run('show', letter['id'], '--json').exit_code == 0
    assert embedded.run('drop', letter['id'], '--yes').exit_code == 0
    assert embedded.list() == []


def test_event_of_the_greatest_allowed_depth_is_shown(embedded: Letters, shell: Any) -> None:
    embedded.make(1)
    deepest = nested(29, lambda data: b'\x91' + data)  # in the body, in the event
    body = {'a': msgpack.unpackb(deepest)}
    spoil(shell, msgpack.packb({'type': 'thing', 'id': 'x', 'body': body}))
    [letter] = embedded.list()
    assert letter['body'] == body
    assert 'thing' in embedded.run('show', letter['id']).stdout


def test_no_dead_letters_is_not_a_failure(embedded: Letters) -> None:
    done = embedded.run('list')
    assert (done.exit_code, done.stdout, done.stderr) == (0, '', 'no dead letters\n')
    done = embedded.run('list', '--queue=x', '--json')
    assert (done.exit_code, json.loads(done.stdout), done.stderr) == (0, [], '')


# replay


def test_replayed_event_is_handled_like_a_new_one(letters: Letters) -> None:
    made = letters.make(3)
    wanted, other, third = made
    with letters.handled() as handled:
        done = letters.run('replay', wanted['id'], third['id'])
        assert (done.exit_code, done.stdout) == (0, '')
        assert f'replayed 2 dead letters (2 of {letters.queue})' in done.stderr
        eventually(lambda: len(handled()) == 2, PATIENCE)
        assert sorted(handled()) == sorted(
            [each['event'], each['type'], each['body']['n'], each['headers'], 1]
            for each in (wanted, third)
        )
    assert letters.list() == [other]


def test_matching_dead_letters_are_replayed_and_counted(letters: Letters) -> None:
    letters.make(10)
    done = letters.run('replay', '--type=#.odd', '--limit=3', '--dry-run', '--json')
    expected = {'found': 3, 'replayed': 0, 'queues': {letters.queue: 3}, 'dry_run': True}
    assert json.loads(done.stdout) == expected
    done = letters.run('replay', '--type=#.odd', '--json')
    expected = {'found': 5, 'replayed': 5, 'queues': {letters.queue: 5}, 'dry_run': False}
    assert json.loads(done.stdout) == expected
    assert {each['body']['n'] for each in letters.list()} == {0, 2, 4, 6, 8}
    with letters.handled() as handled:
        eventually(lambda: handled.numbers() == Counter([1, 3, 5, 7, 9]), PATIENCE)


def test_dead_letters_of_a_missing_queue_are_kept(letters: Letters) -> None:
    letters.make(3, 'passing')
    done = letters.run('replay', '--all')
    assert done.exit_code == 1
    assert 'replayed 3 of 6 dead letters' in done.stderr
    assert f'3 stay, because their queue is gone: {letters.queue}.passing' in done.stderr
    left = json.loads(letters.run('list', '--json').stdout)
    assert sorted(each['body']['n'] for each in left) == [0, 1, 2]
    with letters.handled() as handled:
        eventually(lambda: handled.numbers() == Counter([0, 1, 2]), PATIENCE)


def test_error_says_that_another_process_holds_the_dead_letters(
    embedded: Letters,
) -> None:
    embedded.make(7)
    embedded.shell.write('shared.py', SHARED)
    embedded.shell.environ['PYTHONPATH'] = str(embedded.shell.folder)
    embedded.shell.write('.lymph.yml', 'container: {events: {class: "shared:Shared"}}\n')
    for command, found, settled in (
        (('replay', '--limit=5'), 5, 'replayed 3'),
        (('drop', '--yes'), 3, 'dropped 1'),
    ):
        done = embedded.run(*command, '--all')
        assert done.exit_code == 1
        assert done.stderr.splitlines() == [
            f'{settled} of {found} dead letters ({found} of shop)',
            '2 were read or settled by another process meanwhile; '
            '`lymph dlq list` shows what is left',
        ]


def test_killed_replay_loses_nothing(letters: Letters) -> None:
    letters.make(2000)
    with letters.handled() as handled:
        replaying = letters.shell.start('dlq', 'replay', '--all')
        eventually(handled, PATIENCE, lambda: f'first event; {letters.state(replaying)}')
        replaying.signal(signal.SIGKILL)
        replaying.end()

        def nothing_is_lost() -> bool:
            left = {each['body']['n'] for each in letters.list()}
            return left | set(handled.numbers()) == set(range(2000))

        eventually(nothing_is_lost, PATIENCE)


def test_interrupted_replay_reports_its_progress(shell: Any, rabbitmq_server: Any) -> None:
    with FaultProxy('127.0.0.1', rabbitmq_server.port) as proxy:
        name = f'dlq-{os.urandom(4).hex()}'
        shell.write(
            '.lymph.yml',
            f'container: {{events: {{class: kombu, urls: "{rabbitmq_server.url}", '
            f'exchange: {name}}}}}\n',
        )
        shell.write(
            'slow.yml',
            f'container: {{events: {{class: kombu, urls: "amqp://{proxy.address}//", '
            f'exchange: {name}}}}}\n',
        )
        letters = Letters(shell, name)
        letters.make(1000)
        with letters.handled() as handled:
            proxy.slow(100_000)
            replaying = shell.start('dlq', 'replay', '--all', '-c', 'slow.yml')
            eventually(handled, PATIENCE, lambda: f'first event; {letters.state(replaying)}')
            replaying.signal(signal.SIGINT)
            # the proxy needs this process to go on
            eventually(lambda: replaying.process.poll() is not None, PATIENCE)
            assert replaying.end() == 130
            said = replaying.stderr.split()
            assert said[0] == 'interrupted:'
            replayed = int(said[1])
            assert said[2:] == ['of', '1000', 'replayed']

            def nothing_is_lost() -> bool:
                left = {each['body']['n'] for each in letters.list()}
                return left | set(handled.numbers()) == set(range(1000))

            eventually(nothing_is_lost, PATIENCE)
            assert len(handled.numbers()) >= replayed
            assert letters.run('replay', '--all').exit_code == 0
            eventually(lambda: set(handled.numbers()) == set(range(1000)), PATIENCE)
            assert letters.list() == []


def test_interrupted_replay_can_be_resumed_and_replays_nothing_twice(
    embedded: Letters, shell: Any
) -> None:
    embedded.make(1000)
    store = shell.folder / 'state' / 'events' / 'events.sqlite'
    with Turns(store) as turns, embedded.handled() as handled:
        turns.take()
        replaying = shell.start('dlq', 'replay', '--all')
        while turns.dead_letters() == 1000:
            turns.let_one_through()
        left = turns.dead_letters()
        assert 0 < left < 1000
        replaying.signal(signal.SIGINT)
        replaying.said('interrupted:')
        turns.give_up()
        assert replaying.end() == 130
        said = replaying.stderr.split()
        assert (said[0], said[2:]) == ('interrupted:', ['of', '1000', 'replayed'])
        assert int(said[1]) <= 1000 - len(embedded.list()) < 1000
        done = embedded.run('replay', '--all', '--json')
        assert json.loads(done.stdout)['replayed'] > 0
        eventually(lambda: handled.numbers() == Counter(range(1000)), PATIENCE)
    assert embedded.list() == []


def test_replay_takes_several_filters_and_a_dry_run_changes_nothing(
    letters: Letters,
) -> None:
    before = letters.make(30)
    filters = ('--queue', letters.queue, '--type=#.odd', '--error=handle 1', '--since=1h')
    numbers = [1, 11, 13, 15, 17, 19]
    done = letters.run('replay', *filters, '--dry-run')
    expected = f'would replay 6 dead letters (6 of {letters.queue})\n'
    assert (done.exit_code, done.stdout, done.stderr) == (0, '', expected)
    assert letters.list() == before
    assert letters.run('replay', *filters).exit_code == 0
    assert {each['body']['n'] for each in letters.list()} == {*range(30)} - {*numbers}
    with letters.handled() as handled:
        eventually(lambda: handled.numbers() == Counter(numbers), PATIENCE)


# drop


def test_dropped_dead_letters_are_gone(letters: Letters) -> None:
    made = letters.make(5)
    done = letters.run('drop', made[0]['id'], made[3]['id'], '--yes')
    assert (done.exit_code, done.stdout) == (0, '')
    assert f'dropped 2 dead letters (2 of {letters.queue})' in done.stderr
    assert letters.list() == [made[1], made[2], made[4]]
    done = letters.run('drop', '--older=2000-01-01', '--yes', '--json')
    assert json.loads(done.stdout) == {'found': 0, 'dropped': 0, 'queues': {}, 'dry_run': False}
    letters.run('drop', '--all', '-y')
    assert letters.list() == []


def test_nothing_is_dropped_without_confirmation(embedded: Letters) -> None:
    made = embedded.make(2)
    done = embedded.run('drop', '--all')
    assert done.exit_code == 2
    assert 'expected --yes' in done.stderr
    done = embedded.run('drop', '--all', '--dry-run')
    assert (done.exit_code, done.stderr) == (0, 'would drop 2 dead letters (2 of shop)\n')
    assert embedded.list() == made


@pytest.mark.parametrize(
    ('answer', 'left', 'exit_code'), [('n\n', 2, 1), ('\n', 2, 1), ('y\n', 0, 0), ('\x03', 2, 130)]
)
def test_confirmation_is_requested_on_a_terminal_before_dropping(
    embedded: Letters, shell: Any, answer: str, left: int, exit_code: int
) -> None:
    embedded.make(2)
    master, slave = pty.openpty()
    dropping = shell.start('dlq', 'drop', '--all', stdin=slave)
    dropping.said('drop 2 dead letters (2 of shop) for good? [y/N]')
    if answer == '\x03':
        dropping.signal(signal.SIGINT)  # what a terminal makes of it, where it controls the process
    else:
        os.write(master, answer.encode())
    assert dropping.end() == exit_code
    os.close(slave)
    os.close(master)
    assert len(embedded.list()) == left


# both


def test_long_replay_shows_its_progress_only_on_a_terminal(letters: Letters, shell: Any) -> None:
    letters.make(200)
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack('4H', 24, 100, 0, 0))
    shell.environ['TERM'] = 'xterm'
    replaying = shell.start('dlq', 'replay', '--type=#.even', '--limit=60', stderr=slave)
    assert replaying.end() == 0
    # the document is on stdout alone, whatever the terminal shows
    as_json = shell.start('dlq', 'replay', '--type=#.even', '--json', stderr=slave)
    assert as_json.end() == 0
    done = json.loads(as_json.stdout)
    assert (done['found'], done['replayed'], done['dry_run']) == (40, 40, False)
    os.close(slave)
    shown = os.read(master, 1 << 16).decode()
    os.close(master)
    assert '60/60' in shown
    assert f'replayed 60 dead letters (60 of {letters.queue})' in shown
    done = letters.run('replay', '--all')
    assert done.stderr == f'replayed 100 dead letters (100 of {letters.queue})\n'


@pytest.mark.parametrize('command', ['show', 'replay', 'drop'])
def test_unknown_id_is_a_failure_that_changes_nothing(letters: Letters, command: str) -> None:
    made = letters.make(1)
    yes = ['--yes'] if command == 'drop' else []
    done = letters.run(command, made[0]['id'], 'nonsense', *yes)
    assert (done.exit_code, done.stdout) == (1, '')
    [line] = done.stderr.splitlines()
    assert line.startswith("lymph: no dead letter 'nonsense'; ")
    assert letters.list() == made


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (['replay'], 'found none'),
        (['drop', '--yes'], 'found none'),
        (['replay', '5', '--all'], 'more than one'),
        (['drop', '5', '--queue=x', '--yes'], 'more than one'),
        (['show'], 'ID'),
        (['list', '--type=a..b'], 'a..b'),
        (['list', '--since=soon'], 'expected 30s'),
        (['list', '--limit=-1'], '-1'),
        (['replya'], 'replya'),
    ],
)
def test_wrong_usage_is_one_line(shell: Any, arguments: list[str], complaint: str) -> None:
    done = shell.run('dlq', *arguments)
    assert (done.exit_code, done.stdout) == (2, '')
    [line] = done.stderr.splitlines()
    assert complaint in line


@pytest.mark.parametrize(
    'arguments',
    [
        ('-c', 'x.yml', 'dlq', 'list'),
        ('dlq', '-c', 'x.yml', 'list'),
        ('dlq', 'list', '-c', 'x.yml'),
    ],
)
def test_event_system_without_dead_letters_is_an_error(shell: Any, arguments: list[str]) -> None:
    shell.write('x.yml', 'container: {events: {class: "null"}}\n')
    done = shell.run(*arguments)
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert 'NullEventSystem keeps no dead letters' in line


def test_unreachable_broker_is_one_line(shell: Any) -> None:
    shell.write('.lymph.yml', 'container: {events: {class: kombu, urls: "amqp://127.0.0.1:1//"}}\n')
    done = shell.run('dlq', 'list')
    assert (done.exit_code, done.stdout) == (1, '')
    [line] = done.stderr.splitlines()
    assert 'connection refused' in line
