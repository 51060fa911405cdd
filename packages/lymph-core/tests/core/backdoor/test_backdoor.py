"""The backdoor of a container: who gets a prompt, and what a prompt can do."""

from __future__ import annotations

import os
import socket
import stat
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import pytest
from gevent import socket as green

from lymph.config import Configuration, ConfigurationError
from lymph.core._backdoor.server import Backdoor
from lymph.core._backdoor.tokens import known_token
from lymph.core._backdoor.wire import receive, send
from lymph.core.assembly import build_container
from lymph.core.container import ServiceContainer
from lymph.core.transport.endpoints import split_tcp
from lymph.discovery.static import StaticServiceRegistry
from lymph.testing.waiting import eventually

TOKEN = 'the token of this test'
WAIT = 20.0


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path))
    # a backdoor replaces these streams; monkeypatch restores them
    monkeypatch.setattr(sys, 'stdout', sys.stdout)
    monkeypatch.setattr(sys, 'stderr', sys.stderr)
    return tmp_path


@pytest.fixture
def backdoor() -> Iterator[Backdoor]:
    backdoor = Backdoor('127.0.0.1', 'abc123', TOKEN, lambda: {'answer': 42, 'gevent': gevent})
    yield backdoor
    backdoor.close()


class Visitor:
    """A client that is connected to a backdoor."""

    def __init__(self, endpoint: str, token: Any = TOKEN) -> None:
        self.socket: Any = green.create_connection(split_tcp(endpoint), WAIT)
        if token is not None:
            send(self.socket, {'token': token})

    def answer(self) -> dict[str, Any] | None:
        try:
            return receive(self.socket)
        except ConnectionResetError:
            return None

    def run(self, source: str, last: bool = False) -> tuple[str, str]:
        """Run code and return its output and outcome."""
        send(self.socket, {'run': source, 'last': last})
        return self.rest()

    def rest(self) -> tuple[str, str]:
        printed = ''
        while 'done' not in (message := self.answer() or {'done': 'closed'}):
            printed += message['output']
        return printed, message['done']


@pytest.fixture
def visit(backdoor: Backdoor) -> Iterator[Callable[..., Visitor]]:
    visitors: list[Visitor] = []

    def visit(**options: Any) -> Visitor:
        visitors.append(Visitor(backdoor.endpoint, **options))
        if not options:
            assert visitors[-1].answer() == {'welcome': 'in abc123'}
        return visitors[-1]

    yield visit
    for visitor in visitors:
        visitor.socket.close()


Visit = Callable[..., Visitor]


@pytest.mark.parametrize('token', ['', 'wrong', TOKEN[:-1], TOKEN + 'x', 5, None, [TOKEN], 'ü'])
def test_no_prompt_without_the_token(visit: Visit, token: Any) -> None:
    visitor = visit(token=token)
    if token is None:
        send(visitor.socket, {'run': 'answer'})
    assert visitor.answer() == {'refused': 'the token is wrong'}
    assert visitor.answer() is None


def test_client_that_sends_too_much_or_nothing_is_disconnected(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr('lymph.core._backdoor.server._PATIENCE', 0.2)
    assert visit(token='x' * 2000).answer() is None
    silent = visit(token=None)
    assert silent.answer() is None
    garbage = visit(token=None)
    garbage.socket.sendall(b'GET / HTTP/1.1\r\n\r\n')
    assert garbage.answer() is None
    assert visit().run('answer') == ('42\n', 'ok')


def test_unauthenticated_connections_are_limited(visit: Visit) -> None:
    silent = [visit(token=None) for _ in range(8)]
    eventually(
        lambda: visit(token='x').answer() == {'refused': 'too many connect at once; try again'}
    )
    silent[0].socket.close()
    eventually(lambda: 'welcome' in (visit(token=TOKEN).answer() or {}), WAIT)


def test_code_runs_with_the_names_of_the_container(visit: Visit) -> None:
    visitor = visit()
    assert visitor.run('answer + 1') == ('43\n', 'ok')
    assert visitor.run('_ * 2') == ('86\n', 'ok')
    assert visitor.run('x = 5; print("a"); x') == ('a\n5\n', 'ok')
    assert visitor.run('def double(n):') == ('', 'more')
    assert visitor.run('def double(n):\n  return 2 * n\n') == ('', 'ok')
    assert visitor.run('None') == ('', 'ok')
    assert visitor.run('a = 1\nb = 2\na + b', last=True) == ('3\n', 'ok')
    assert visitor.run('(', last=True)[1] == 'failed'
    assert visit().run('x')[0].endswith("NameError: name 'x' is not defined\n")


@pytest.mark.parametrize(
    ('source', 'words'),
    [
        ('1/0', 'ZeroDivisionError: division by zero'),
        ('raise SystemExit(3)', 'SystemExit: 3'),
        ('raise KeyboardInterrupt', 'KeyboardInterrupt'),
        ('raise gevent.Timeout(3)', 'Timeout'),
        ('def (', 'SyntaxError'),
        ('"\\0" + "\0"', 'null bytes'),
        ('class A(BaseException): __str__ = None\nraise A', 'A'),
    ],
)
def test_error_is_shown_and_does_not_end_the_prompt(visit: Visit, source: str, words: str) -> None:
    visitor = visit()
    printed, outcome = visitor.run(source, last=True)
    assert outcome == 'failed'
    assert words in printed
    assert 'console.py' not in printed
    assert visitor.run('answer') == ('42\n', 'ok')


def test_output_goes_to_the_prompt_that_caused_it(
    visit: Visit, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = visit(), visit()
    assert first.run('gevent.sleep(0.01); print("first")') == ('first\n', 'ok')
    assert second.run('import sys; print("second", file=sys.stderr)') == ('second\n', 'ok')
    print('of the service')
    assert capsys.readouterr().out.endswith('of the service\n')


def test_long_and_odd_output_arrives(visit: Visit) -> None:
    visitor = visit()
    printed, _ = visitor.run('print("x" * 1_000_000)')
    assert len(printed) == 1_000_001
    assert visitor.run('print("\\udcff")') == ('\\udcff\n', 'ok')


def test_running_code_can_be_interrupted_without_ending_the_process(visit: Visit) -> None:
    visitor = visit()
    other = visit()
    other.run('import lymph.core._backdoor as place; place.begun = []')
    send(visitor.socket, {'interrupt': True})  # nothing runs
    begin = 'import lymph.core._backdoor as place; place.begun.append(True)\n'
    send(visitor.socket, {'run': begin + 'gevent.sleep(1000)'})
    eventually(lambda: other.run('place.begun')[0] == '[True]\n', WAIT)
    send(visitor.socket, {'interrupt': True})
    printed, outcome = visitor.rest()
    assert outcome == 'failed'
    assert 'Interrupted' in printed
    for _ in range(20):  # before it has begun, and when it is over
        send(visitor.socket, {'run': 'answer'})
        send(visitor.socket, {'interrupt': True})
        visitor.rest()
    assert visitor.run('answer') == ('42\n', 'ok')


def test_running_code_ends_with_its_connection(visit: Visit) -> None:
    visitor = visit()
    other = visit()
    other.run('import lymph.core._backdoor as place; place.begun, place.ended = [], []')
    send(
        visitor.socket,
        {
            'run': 'import lymph.core._backdoor as place; place.begun.append(True)\n'
            'try: gevent.sleep(1000)\nfinally: place.ended.append(True)',
            'last': True,
        },
    )
    eventually(lambda: other.run('place.begun')[0] == '[True]\n', WAIT)
    visitor.socket.close()
    eventually(lambda: other.run('place.ended')[0] == '[True]\n', WAIT)


def test_names_are_completed(visit: Visit) -> None:
    visitor = visit()
    send(visitor.socket, {'complete': 'answ'})
    assert visitor.answer() == {'names': ['answer']}
    send(visitor.socket, {'complete': 'gevent.slee'})
    assert visitor.answer() == {'names': ['gevent.sleep(']}
    send(visitor.socket, {'complete': '1/0.'})
    assert visitor.answer() == {'names': []}


def test_token_is_readable_only_by_the_user_of_the_process(backdoor: Backdoor, state: Path) -> None:
    path = state / 'backdoor' / 'abc123'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert known_token('abc123') == TOKEN
    assert known_token('../backdoor/abc123') is None
    assert known_token('unknown') is None
    (state / 'backdoor' / 'dead').write_text('of a process that was killed')
    other = Backdoor('127.0.0.1', 'other', TOKEN, dict)
    assert {each.name for each in path.parent.iterdir()} == {'abc123', 'other'}
    other.close()
    assert not (state / 'backdoor' / 'other').exists()


def test_a_forked_child_leaves_the_port_and_the_token_to_its_parent(
    backdoor: Backdoor, visit: Visit
) -> None:
    child = os.fork()
    if child == 0:
        os._exit(0)
    os.waitpid(child, 0)
    assert known_token('abc123') == TOKEN
    assert visit().run('answer') == ('42\n', 'ok')


def build(section: dict[str, Any], **more: Any) -> tuple[ServiceContainer, StaticServiceRegistry]:
    registry = StaticServiceRegistry()
    config = Configuration(
        {
            'container': {'events': {'class': 'null'}},
            'interfaces': {
                'shop': {'class': 'lymph:Interface'},
                'tea-pot': {'class': 'lymph:Interface'},
            },
            'debug': section,
        }
    )
    return build_container(config, registry=registry, **more), registry


@pytest.mark.parametrize(
    ('debug', 'options', 'there'),
    [
        ({}, {}, False),
        ({}, {'debug': True}, True),
        ({'backdoor_ip': '127.0.0.1'}, {}, True),
        ({'backdoor_token': 'x' * 16}, {}, False),
    ],
)
def test_backdoor_is_opened_only_on_request(
    debug: dict[str, Any], options: dict[str, Any], there: bool
) -> None:
    container, registry = build(debug, **options)
    container.start()
    try:
        (instance,) = registry.get('shop')
        assert (instance.backdoor_endpoint is not None) == there
        assert TOKEN not in str(instance)
    finally:
        container.stop()
    if there:
        with pytest.raises(OSError, match='refused'), socket.socket() as sock:
            sock.connect(split_tcp(str(instance.backdoor_endpoint)))


def test_a_prompt_has_the_container_its_interfaces_and_what_plugins_add(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(names: dict[str, Any]) -> dict[str, Any]:
        raise ValueError('no')

    plugins = {'a': broken, 'b': lambda names: {'count': len(names['interfaces'])}}
    monkeypatch.setattr('lymph.core._backdoor.namespace.installed', lambda group: list(plugins))
    monkeypatch.setattr(
        'lymph.core._backdoor.namespace.load_plugin', lambda group, name: plugins[name]
    )
    container, registry = build({'backdoor_token': TOKEN}, debug=True)
    container.start()
    try:
        (instance,) = registry.get('shop')
        visitor = Visitor(str(instance.backdoor_endpoint))
        visitor.answer()
        expected = (f'{container.identity!r}\n', 'ok')
        assert visitor.run('container.identity') == expected
        assert visitor.run('shop.name, tea_pot.name, sorted(interfaces), count') == (
            "('shop', 'tea-pot', ['shop', 'tea-pot'], 2)\n",
            'ok',
        )
        assert visitor.run('lymph.__name__') == ("'lymph'\n", 'ok')
    finally:
        container.stop()


@pytest.mark.parametrize(
    ('debug', 'words'),
    [
        ({'backdoor_ip': '192.0.2.1'}, 'debug.backdoor_ip: no backdoor at 192.0.2.1: '),
        ({'backdoor_token': 'short'}, 'debug.backdoor_token: expected 16 characters or more'),
        ({'backdoor_pi': '::1'}, "did you mean 'backdoor_ip'?"),
    ],
)
def test_invalid_setting_is_a_configuration_error_of_one_line(
    debug: dict[str, Any], words: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        build(debug, debug=True)[0].start()
    assert words in str(caught.value)
    assert '\n' not in str(caught.value)
