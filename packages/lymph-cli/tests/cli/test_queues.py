"""`lymph queues` over the event systems."""

from __future__ import annotations

import json
import os
import pty
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from lymph.testing.waiting import eventually

PATIENCE = 60.0

#: Puts events into the durable queue QUEUE, which nobody consumes.
FILL = """
import sys
from lymph.client import Client
from lymph.config import Configuration
from lymph.core.events import Event
from lymph.events.base import Subscription

config = Configuration()
config.load_file('.lymph.yml')
queue, count = sys.argv[1], int(sys.argv[2])
with Client.from_config(config) as client:
    events = client.container.events
    events.declare(Subscription(queue, (queue,), print))
    for n in range(count):
        events.emit(Event(queue, {'n': n}))
"""

#: Consumes QUEUE; the first handler never ends.
CONSUME = """
import sys
import gevent
from lymph.client import Client
from lymph.config import Configuration
from lymph.events.base import Subscription

config = Configuration()
config.load_file('.lymph.yml')
with Client.from_config(config) as client:
    subscription = Subscription(
        sys.argv[1], (sys.argv[1],), lambda event: gevent.sleep(600), sequential=True
    )
    client.container.events.subscribe(subscription)
    print('ready', file=sys.stderr, flush=True)
    gevent.sleep(600)
"""


class Shop:
    """Queues in the event system of a shell's folder."""

    def __init__(self, shell: Any) -> None:
        self.shell = shell
        self.queue = f'shop{os.urandom(4).hex()}.on_order'

    def fill(self, count: int, queue: str = '') -> str:
        """Put events into a queue without a consumer, and return its name."""
        done = self.shell.python(FILL, queue or self.queue, str(count))
        assert (done.exit_code, done.stderr) == (0, '')
        return queue or self.queue

    @contextmanager
    def consumed(self) -> Iterator[None]:
        """Consume the queue while the block runs, one event of it."""
        consumer = self.shell.start('-c', CONSUME, self.queue, program=Path(sys.executable))
        consumer.said('ready')
        yield
        consumer.signal(signal.SIGKILL)
        consumer.end()

    def run(self, *arguments: str, **options: Any) -> Any:
        return self.shell.run('queues', *arguments, **options)

    def list(self, *options: str) -> list[dict[str, Any]]:
        """Return the list that is printed as JSON."""
        done = self.run('--json', *options)
        assert done.exit_code == 0, done.stderr
        return json.loads(done.stdout)

    def state(self) -> dict[str, Any]:
        """Return the facts of the queue."""
        (state,) = self.list('--queue', self.queue)
        return state


@pytest.fixture(params=['embedded', 'redis', 'rabbitmq'])
def shop(request: pytest.FixtureRequest, shell: Any) -> Shop:
    """Queues in each of the event systems that share them between processes."""
    events = '{class: embedded}'
    if request.param != 'embedded':
        server = request.getfixturevalue(f'{request.param}_server')
        # an exchange of its own, because all queues are listed
        name = f'queues-{os.urandom(4).hex()}'
        events = f'{{class: kombu, urls: "{server.url}", exchange: {name}}}'
    shell.write('.lymph.yml', f'container: {{events: {events}}}\n')
    return Shop(shell)


@pytest.fixture
def embedded(shell: Any) -> Shop:
    """Queues in the embedded event system, for behaviour that is the same in all."""
    shell.write('.lymph.yml', 'container: {events: {class: embedded}}\n')
    return Shop(shell)


def test_queue_without_a_consumer_is_listed_with_its_waiting_events(embedded: Shop) -> None:
    embedded.fill(3)
    state = embedded.state()
    assert (state['queue'], state['waiting'], state['consumers']) == (embedded.queue, 3, 0)
    listed = embedded.run('list')
    header, row = listed.stdout.splitlines()
    assert header.split()[:2] == ['QUEUE', 'WAITING']
    assert row.split()[:2] == [embedded.queue, '3']
    assert embedded.run().stdout.splitlines()[0] == header


def test_queue_with_a_consumer_is_dropped_only_with_force(shop: Shop) -> None:
    shop.fill(3)
    with shop.consumed():
        eventually(lambda: shop.state()['waiting'] == 2, PATIENCE)
        assert shop.state()['consumers'] == 1
        refused = shop.run('drop', shop.queue, '--yes')
        assert refused.exit_code == 1
        assert f"'{shop.queue}' has 1 consumer" in refused.stderr
        assert '--force' in refused.stderr
        assert shop.state()['waiting'] == 2
        assert shop.run('drop', shop.queue, '--yes', '--force').exit_code == 0


def test_a_queue_is_dropped_with_its_events(shop: Shop) -> None:
    shop.fill(3)
    tried = shop.run('drop', shop.queue, '--dry-run')
    assert (tried.exit_code, shop.state()['waiting']) == (0, 3)
    assert f"would drop the queue '{shop.queue}' with 3 events" in tried.stderr
    done = shop.run('drop', shop.queue, '--yes')
    assert (done.exit_code, done.stdout) == (0, '')
    assert f"dropped the queue '{shop.queue}' with 3 events" in done.stderr
    assert shop.list() == []


def test_missing_queue_is_named_with_a_suggestion(embedded: Shop) -> None:
    embedded.fill(0)
    done = embedded.run('drop', f'{embedded.queue}s', '--yes')
    assert (done.exit_code, done.stderr.count('\n')) == (1, 1)
    assert f"no queue '{embedded.queue}s'; did you mean '{embedded.queue}'?" in done.stderr


def test_filters_are_combined(embedded: Shop) -> None:
    embedded.fill(1, 'shop.on_order')
    embedded.fill(0, 'shop.on_return')
    embedded.fill(1, 'mail.send')

    def names(*options: str) -> list[str]:
        return [state['queue'] for state in embedded.list(*options)]

    assert names() == ['mail.send', 'shop.on_order', 'shop.on_return']
    assert names('--queue', 'shop.*') == ['shop.on_order', 'shop.on_return']
    assert names('--queue', 'shop.*', '--waiting') == ['shop.on_order']
    assert names('--queue', 'shop.on_return', '--queue', 'mail.*') == [
        'mail.send',
        'shop.on_return',
    ]
    embedded.queue = 'mail.send'
    with embedded.consumed():
        assert names('--unconsumed') == ['shop.on_order', 'shop.on_return']
    nothing = embedded.run('--queue', 'none')
    assert (nothing.exit_code, nothing.stdout) == (0, '')
    assert nothing.stderr == 'no queues like that\n'


def test_json_document_has_all_known_facts(embedded: Shop) -> None:
    embedded.fill(2)
    state = embedded.state()
    assert state.pop('bytes') > 0
    assert state.pop('oldest') >= 0
    assert state == {
        'queue': embedded.queue,
        'temporary': False,
        'waiting': 2,
        'delayed': 0,
        'running': 0,
        'consumers': 0,
        'dead': 0,
    }


def test_nothing_is_dropped_if_one_of_several_is_missing(embedded: Shop) -> None:
    embedded.fill(1, 'shop.on_order')
    done = embedded.run('drop', 'shop.on_order', 'no.such', '--yes')
    assert done.exit_code == 1
    assert 'nothing was dropped' in done.stderr
    embedded.fill(2, 'mail.send')
    done = embedded.run('drop', 'shop.on_order', 'mail.send', 'mail.send', '--yes', '--json')
    document = json.loads(done.stdout)
    assert document['dropped'] == ['shop.on_order', 'mail.send']
    assert [state['waiting'] for state in document['queues']] == [1, 2]
    assert document['dry_run'] is False


def test_without_a_terminal_and_without_yes_nothing_is_dropped(embedded: Shop) -> None:
    embedded.fill(1)
    done = embedded.run('drop', embedded.queue, input='y\n')
    assert done.exit_code == 2
    assert 'expected --yes' in done.stderr
    assert embedded.state()['waiting'] == 1


@pytest.mark.parametrize(('answer', 'left'), [('y', 0), ('n', 1)])
def test_on_a_terminal_the_answer_decides(embedded: Shop, answer: str, left: int) -> None:
    embedded.fill(1)
    leader, follower = pty.openpty()
    os.write(leader, f'{answer}\n'.encode())
    terminal = os.ttyname(follower)
    running = embedded.shell.start_redirected(f'<{terminal}', 'queues', 'drop', embedded.queue)
    assert running.end() == (1 if left else 0)
    assert f"drop the queue '{embedded.queue}' with 1 event for good? [y/N]" in running.stderr
    assert len(embedded.list()) == left
    os.close(follower)
    os.close(leader)


def test_options_of_the_list_are_rejected_before_drop(embedded: Shop) -> None:
    done = embedded.run('--json', 'drop', 'shop.on_order')
    assert done.exit_code == 2
    assert 'behind drop' in done.stderr


@pytest.mark.parametrize(
    ('events', 'exit_code', 'words'),
    [
        ('{class: "null"}', 2, 'NullEventSystem has no queues'),
        ('{class: local}', 0, 'in the memory of the process that has them'),
    ],
)
def test_event_system_that_cannot_list_queues_reports_it(
    shell: Any, events: str, exit_code: int, words: str
) -> None:
    shell.write('.lymph.yml', f'container: {{events: {events}}}\n')
    done = shell.run('queues')
    assert (done.exit_code, done.stdout) == (exit_code, '')
    assert words in done.stderr
