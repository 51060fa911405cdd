"""A running node is inspected and changed through its RPC interface."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import gevent
import pytest

from lymph.cli._running import node_asking
from lymph.cli._running.node_asking import RemoteNode, RunningNode, choose, open_node
from lymph.cli._running.node_steering import add_cpu, run_change, run_ps, run_scale, run_tail
from lymph.cli.outcomes import OperationFailed
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.config import Location
from lymph.exceptions import Nack, RemoteError
from lymph.services.node._fleet.definitions import Definition
from lymph.services.node._fleet.fleet import Fleet
from lymph.services.node._fleet.usage import usage_of
from lymph.services.node._steering.card import Card, CardFile, read_card
from lymph.services.node._steering.steering import local_container, steered
from lymph.testing.waiting import eventually

PATIENCE = 30.0

Start = Callable[..., Fleet]


@pytest.fixture(autouse=True)
def _state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv('LYMPH_STATE_DIR', str(tmp_path / 'state'))
    monkeypatch.delenv('LYMPH_CONFIG', raising=False)
    monkeypatch.delenv('LYMPH_NODE_CONFIG', raising=False)
    monkeypatch.chdir(tmp_path)
    # logging is that of the tests
    monkeypatch.setattr(node_asking, 'set_up_logging', lambda *_: None)


@pytest.fixture
def start(node: Any) -> Iterator[Start]:
    """Return a function that starts a node with an RPC interface."""
    with ExitStack() as ends:

        def start(*definitions: Definition, config: str = '/srv/.lymph.yml') -> Fleet:
            fleet = node.start(*definitions)
            ends.enter_context(steered(fleet, [config]))
            eventually(can_be_asked, PATIENCE, 'a node that can be asked')
            return fleet

        yield start


def can_be_asked() -> bool:
    try:
        with open_node(Settings(), os.getpid()):
            return True
    except OperationFailed:
        return False


def sleeper(name: str, count: int = 1) -> Definition:
    return Definition(name, ('sleep', '600'), count, Location(name), restart='always')


def running(fleet: Fleet) -> list[int]:
    eventually(
        lambda: all(slot.supervision.state == 'running' for slot in fleet.slots()),
        PATIENCE,
        lambda: str([slot.supervision.state for slot in fleet.slots()]),
    )
    return [slot.process.pid for slot in fleet.slots() if slot.process is not None]


def test_ps_shows_running_processes_and_how_others_ended(
    start: Start, node: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    # With `never` it stays failed; these tests start what has failed again after a moment.
    bad = Definition('bad', ('sh', '-c', 'exit 2'), 1, Location('bad'), restart='never')
    fleet = start(sleeper('one'), bad)
    node.said('bad.1: has failed')
    eventually(lambda: fleet.slots()[0].supervision.state == 'running', PATIENCE, 'one.1')
    capsys.readouterr()
    run_ps(Settings(), [], as_json=False, watch=False, interval=1, pid=None)
    titles, one, failed = capsys.readouterr().out.splitlines()
    assert titles.split()[:7] == ['NAME', 'STATE', 'PID', 'UPTIME', 'RESTARTS', 'CPU', 'MEMORY']
    assert one.split()[:2] == ['one.1', 'running']
    assert one.split()[-1] == '-'
    assert failed.split()[:5] == ['bad.1', 'failed', '-', '-', '0']
    assert failed.endswith('ended with exit code 2')


def test_ps_as_json_has_all_facts(start: Start, capsys: pytest.CaptureFixture[str]) -> None:
    fleet = start(sleeper('one', 2), sleeper('two'))
    [_, second, _] = running(fleet)
    capsys.readouterr()
    run_ps(Settings(), ['one.2'], as_json=True, watch=False, interval=1, pid=None)
    [facts] = json.loads(capsys.readouterr().out)
    assert facts['pid'] == second
    assert (facts['name'], facts['definition'], facts['state']) == ('one.2', 'one', 'running')
    assert facts['ready'] is True
    assert facts['memory'] > 0
    assert facts['uptime'] > 0
    assert facts['cpu'] >= 0
    assert (facts['restarts'], facts['last_exit']) == (0, None)


def test_ps_with_watch_repeats(start: Start, node: Any, capsys: pytest.CaptureFixture[str]) -> None:
    start(sleeper('one'))
    capsys.readouterr()
    options = {'as_json': False, 'watch': True, 'interval': 0.1, 'pid': None}
    watching = gevent.spawn(run_ps, Settings(), ['one'], **options)
    shown = ''

    def twice() -> bool:
        nonlocal shown
        shown += capsys.readouterr().out
        return shown.count('one.1') >= 2

    eventually(twice, PATIENCE, lambda: shown)
    watching.kill()
    assert '\n\nNAME ' in shown  # one table after the other, as this is no terminal


def test_commands_change_a_node_and_report_the_changes(
    start: Start, capsys: pytest.CaptureFixture[str]
) -> None:
    fleet = start(sleeper('one', 2))
    before = running(fleet)
    capsys.readouterr()
    run_change(Settings(), 'restart', ['one'], None)
    assert not set(before) & set(running(fleet))
    run_scale(Settings(), 'one', 1, None)
    run_change(Settings(), 'stop', ['one.1'], None)
    assert [slot.supervision.state for slot in fleet.slots()] == ['stopped']
    run_change(Settings(), 'restart', [], None)
    run_change(Settings(), 'start', ['one'], None)
    running(fleet)
    said = [line for line in capsys.readouterr().err.splitlines() if not line.startswith('node ')]
    assert said == [
        'restarted one.1, one.2',
        'one has 1 process',
        'stopped one.1',
        'restarted nothing',
        'started one.1',
    ]


def test_request_that_a_node_rejects_is_one_line(start: Start) -> None:
    start(sleeper('echo'), Definition('bad', ('sh', '-c', 'exit 3'), 0, Location('bad')))
    with pytest.raises(OperationFailed, match=r"no 'eco'; did you mean 'echo'\?"):
        run_change(Settings(), 'stop', ['eco'], None)
    with pytest.raises(OperationFailed, match='from 0 to 1000, found 1001'):
        run_scale(Settings(), 'echo', 1001, None)
    with pytest.raises(OperationFailed, match="this node runs no 'x'"):
        run_tail(Settings(), ['x'], 10, False, None)


def test_tail_follows_lines_that_are_printed_later(
    start: Start, node: Any, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script = (
        f'echo first; until test -e {tmp_path}/go; do sleep 0.02; done; echo sec""ond; sleep 600'
    )
    start(Definition('loud', ('sh', '-c', script), 1, Location('loud')), sleeper('other'))
    node.said('first')
    capsys.readouterr()
    following = gevent.spawn(run_tail, Settings(), ['loud'], 1, True, None)
    found: list[dict[str, Any]] = []

    def lines(count: int) -> list[str]:
        for text in capsys.readouterr().out.splitlines():
            if text.startswith('{'):
                found.append(json.loads(text))
        return [each['line'] for each in found] if len(found) >= count else []

    assert eventually(lambda: lines(1), PATIENCE, 'a line') == ['first']
    (tmp_path / 'go').touch()
    assert eventually(lambda: lines(2), PATIENCE, 'another line') == ['first', 'second']
    assert {each['name'] for each in found} == {'loud.1'}
    following.kill()


def test_node_rejects_requests_without_its_token(start: Start) -> None:
    fleet = start(sleeper('one'))
    before = running(fleet)
    with Client(local_container(on_demand=True)) as client:
        [instance] = client.container.registry.get('node', 'node')

        def call(method: str, **body: Any) -> None:
            client.request(instance.endpoint, f'node.{method}', body, timeout=PATIENCE)

        for method in ('get_processes', 'start', 'stop', 'restart', 'tail'):
            for token in ('', 'x' * 32, None, 7):
                with pytest.raises((RemoteError, Nack)):
                    call(method, token=token, names=['one'])
        with pytest.raises(RemoteError, match='wrong token'):
            call('scale', token='x', name='one', numprocesses=0)
        with pytest.raises(Nack):
            call('stop', names=['one'])
        assert client.container.discover() == set()  # it is no service of anybody else
    assert running(fleet) == before


def test_token_is_readable_only_by_its_user_and_removed_with_the_node(tmp_path: Path) -> None:
    card = CardFile('abc', ['/x.yml'])
    path = tmp_path / 'state' / 'node' / 'abc'
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert read_card('abc') == Card(card.card.token, ('/x.yml',))
    other = CardFile('def', [])
    assert card.card.token != other.card.token
    assert read_card('abc') is not None  # it is in use
    card.remove()
    card.remove()
    assert read_card('abc') is None


@pytest.mark.parametrize('text', [None, '', '[]', '{}', '{"token": "x"}', '\udcff'])
def test_stale_and_invalid_files_are_not_read_as_cards(text: str | None, tmp_path: Path) -> None:
    CardFile('first', []).remove()
    left = tmp_path / 'state' / 'node' / 'left'
    if text is not None:
        left.write_bytes(text.encode(errors='surrogateescape'))
    assert read_card('left') is None
    assert read_card('../node/left') is None
    CardFile('next', [])
    assert not left.exists()


def test_node_that_cannot_be_registered_keeps_running(node: Any, tmp_path: Path) -> None:
    (tmp_path / 'state').write_text('no folder')
    fleet = node.start(sleeper('one'))
    with steered(fleet, []):
        node.said('`lymph node ps` and the like do not work: ')
        running(fleet)


def found(pid: int, *config: str) -> RunningNode:
    return RunningNode(pid, f'tcp://127.0.0.1:{pid}', Card('token', config))


@pytest.mark.parametrize(
    ('nodes', 'files', 'pid', 'chosen'),
    [
        ([found(1, '/a')], (), None, 1),
        ([found(1, '/a')], ('/a',), None, 1),
        ([found(1, '/a'), found(2, '/b')], ('/b',), None, 2),
        ([found(1, '/a'), found(2, '/a', '/b')], ('/a', '/b'), None, 2),
        ([found(1, '/a'), found(2, '/a')], ('/a',), 2, 2),
        ([found(1, '/a')], ('/b',), 1, 1),
        ([], (), None, 'no node is running; `lymph node` starts one'),
        ([], ('/a',), None, 'no node is running; `lymph node` starts one'),
        ([], (), 7, 'no node is running; `lymph node` starts one'),
        (
            [found(1, '/a')], ('/b',), None,
            'no node runs /b; say which one with --pid or --config (pid 1 runs /a)',
        ),
        (
            [found(1, '/a'), found(2, '/b')], (), None,
            '2 nodes run; say which one with --pid or --config (pid 1 runs /a; pid 2 runs /b)',
        ),
        ([found(1, '/a')], (), 3, 'no node has pid 3; say which one'),
    ],
)  # fmt: skip
def test_a_node_is_chosen_by_its_configuration_or_its_pid(
    nodes: list[RunningNode], files: tuple[str, ...], pid: int | None, chosen: int | str
) -> None:
    if isinstance(chosen, int):
        assert choose(nodes, files, pid).pid == chosen
    else:
        with pytest.raises(OperationFailed) as caught:
            choose(nodes, files, pid)
        assert str(caught.value).startswith(chosen)


def test_silent_node_is_distinguished_from_an_ended_one() -> None:
    process = subprocess.Popen(['sleep', '60'])

    def said() -> str:
        # nothing listens at this port
        with Client(local_container(on_demand=True)) as client:
            node = RunningNode(process.pid, 'tcp://127.0.0.1:1', Card('token', ()))
            with pytest.raises(OperationFailed) as caught:
                RemoteNode(client, node).call('get_processes')
        return str(caught.value)

    try:
        assert said().startswith(f'the node, pid {process.pid}, does not answer: ')
        process.send_signal(signal.SIGSTOP)
        stopped = f'the node, pid {process.pid}, is stopped (`kill -CONT {process.pid}` lets'
        eventually(lambda: said().startswith(stopped), PATIENCE)
    finally:
        process.kill()
        process.wait()
    assert said().startswith(f'the node, pid {process.pid}, has ended: ')


def test_cpu_is_the_share_since_the_last_query_or_the_start() -> None:
    first = [{'pid': 5, 'cpu_time': 2.0, 'uptime': 10.0}, {'pid': None, 'cpu_time': None}]
    seen = add_cpu(first, {}, now=100.0)
    assert [facts['cpu'] for facts in first] == [20.0, None]
    second = [{'pid': 5, 'cpu_time': 3.0, 'uptime': 12.0}, {'pid': 6, 'cpu_time': 1.0, 'uptime': 2}]
    add_cpu(second, seen, now=102.0)
    assert [facts['cpu'] for facts in second] == [50.0, 50.0]


def test_usage_is_summed_over_the_process_group() -> None:
    [own] = usage_of({os.getpgid(0)}).values()
    assert own.memory > 0
    assert own.cpu_time > 0
    assert usage_of({2**22}) == {}
