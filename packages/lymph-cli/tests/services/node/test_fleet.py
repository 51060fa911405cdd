"""The node's processes, started and changed in this process."""

from __future__ import annotations

import dataclasses
import os
import signal
from pathlib import Path
from typing import Any

import gevent
import psutil
import pytest

from lymph.config import Location
from lymph.services.node._fleet.definitions import Definition
from lymph.services.node._fleet.fleet import Fleet
from lymph.services.node._fleet.slot import Slot
from lymph.services.node._steering.exceptions import ChangeRefused, NotReady, UnknownName
from lymph.testing.waiting import eventually

PATIENCE = 30.0


def command(name: str, words: str, count: int = 1, **options: Any) -> Definition:
    """Return a definition that runs these words in a shell."""
    options = {'restart': 'always', **options}
    return Definition(name, ('sh', '-c', words), count, Location(name), **options)


def lymph_like(folder: Path, name: str, words: str, count: int = 1) -> Definition:
    """Return a definition whose program is treated as an instance that reports readiness."""
    program = folder / f'bin-{name}' / 'lymph'
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\n{words}\n')
    program.chmod(0o755)
    return Definition(name, (str(program), 'instance'), count, Location(name), restart='always')


SERVES = 'echo READY=1 >/dev/fd/$LYMPH_READY_FD; exec sleep 600'


def slot_of(fleet: Fleet, name: str) -> Slot:
    [slot] = fleet.slots([name])
    return slot


def state(slot: Slot) -> str:
    return slot.supervision.state


def pid_of(slot: Slot) -> int:
    process = eventually(lambda: slot.process, PATIENCE, f'{slot.name} runs')
    return int(process.pid)


def becomes(slot: Slot, *states: str) -> None:
    eventually(lambda: state(slot) in states, PATIENCE, lambda: f'{slot.name}: {state(slot)}')


def running(fleet: Fleet, *names: str) -> list[int]:
    for slot in fleet.slots(names):
        becomes(slot, 'running')
    return [pid_of(slot) for slot in fleet.slots(names)]


def is_gone(pid: int) -> bool:
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def expect_gone(*pids: int) -> None:
    for pid in pids:
        eventually(lambda pid=pid: is_gone(pid), PATIENCE, f'end of {pid}')


def test_crash_loop_ends_in_failed_and_is_retried_slowly(node: Any, tmp_path: Path) -> None:
    mended = tmp_path / 'mended'
    fleet = node.start(command('bad', f'test -e {mended} || exit 3; exec sleep 600'))
    bad = slot_of(fleet, 'bad')
    node.said('bad.1: has failed: it keeps failing')
    starts = bad.starts
    eventually(lambda: bad.starts > starts, PATIENCE, 'another start')
    assert bad.last_exit == 3
    mended.touch()
    becomes(bad, 'running')
    assert bad.starts > 3


def test_exit_code_2_fails_at_once(node: Any) -> None:
    fleet = node.start(command('bad', 'exit 2'))
    node.said('bad.1: has failed: exit code 2')
    assert slot_of(fleet, 'bad').starts == 1
    assert node.stop() is False


def test_process_that_is_killed_manually_is_restarted(node: Any) -> None:
    orderly = "trap 'exit 0' TERM; echo up; while :; do sleep 0.02; done"
    fleet = node.start(command('one', orderly))
    slot = slot_of(fleet, 'one')
    [first] = running(fleet)
    node.said('up')
    os.kill(first, signal.SIGTERM)
    eventually(lambda: slot.starts == 2, PATIENCE, 'another start')
    becomes(slot, 'running')
    assert pid_of(slot) != first
    assert slot.last_exit == 0
    assert node.stop() is True


def test_node_ends_when_all_processes_have_finished_or_failed_permanently(node: Any) -> None:
    node.start(
        command('done', 'exit 0', 2, restart='on-failure'),
        command('once', 'exit 4', restart='never'),
    )
    assert node.end() is False
    node.said('done.2: finished')
    node.said('once.1: has failed: it ended, and restart is never')


def test_processes_run_in_their_folder_with_their_environment(node: Any, tmp_path: Path) -> None:
    node.start(
        command(
            'one',
            'echo "$PWD $A $HOME"',
            env={'A': 'x y', 'HOME': '/h'},
            cwd=str(tmp_path),
            restart='on-failure',
        )
    )
    node.said(f'{tmp_path} x y /h')
    assert node.end() is True


def test_stop_timeout_of_a_definition_overrides_that_of_the_node(node: Any) -> None:
    deaf = "trap '' TERM; echo up; while :; do sleep 0.02; done"
    fleet = node.start(command('deaf', deaf, stop_timeout=0.1))
    [pid] = running(fleet)
    node.said('up')
    assert node.stop() is False
    expect_gone(pid)


@pytest.mark.parametrize(
    ('at_the_end', 'in_order'), [('exit 0', True), ('exit 143', True), ('exit 1', False)]
)
def test_result_of_stopping_a_node_depends_on_how_its_processes_stop(
    node: Any, at_the_end: str, in_order: bool
) -> None:
    fleet = node.start(
        command('one', f'trap "{at_the_end}" TERM; echo up; while :; do sleep 0.02; done')
    )
    running(fleet)
    node.said('up')
    assert node.stop() is in_order


def test_a_second_stop_kills_at_once(node: Any) -> None:
    deaf = "trap '' TERM; echo up; while :; do sleep 0.02; done"
    fleet = node.start(command('deaf', deaf))
    [pid] = running(fleet)
    node.said('up')
    fleet.stop()
    assert node.stop() is False
    expect_gone(pid)


def test_children_of_a_process_end_with_it_in_any_group_or_session(
    node: Any, tmp_path: Path
) -> None:
    marks = tmp_path / 'marks'
    sleep = f"sh -c 'echo $$ >>{marks}; exec sleep 600' &"
    detached = sleep.replace('$', '\\$')
    # in the group of the process, in one of its own, in a session of its own, and below that
    fleet = node.start(
        command('near', f'{sleep} set -m; {sleep} wait'),
        command('far', f'setsid sh -c "{detached} {detached} wait" & wait'),
    )

    def children(count: int) -> list[int]:
        marks.touch()
        return eventually(
            lambda: len(found := [int(n) for n in marks.read_text().split()]) == count and found,
            PATIENCE,
            lambda: marks.read_text(),
        )

    before = children(4)
    fleet.roll(['far'])
    os.kill(pid_of(slot_of(fleet, 'near')), signal.SIGKILL)
    after = children(8)[4:]
    assert all(is_gone(pid) for pid in before)
    assert node.stop() is True
    expect_gone(*after)


def test_instance_is_ready_when_it_reports_readiness(node: Any, tmp_path: Path) -> None:
    go = tmp_path / 'go'
    waits = f'until test -e {go}; do sleep 0.02; done; {SERVES}'
    fleet = node.start(lymph_like(tmp_path, 'web', waits), command('other', 'exec sleep 600'))
    web, other = fleet.slots()
    becomes(other, 'running')  # after a while
    pid_of(web)
    assert state(web) == 'starting'
    go.touch()
    becomes(web, 'running')


def test_instance_that_closes_the_descriptor_is_ready_after_a_delay(
    node: Any, tmp_path: Path
) -> None:
    program = "exec bash -c 'exec {LYMPH_READY_FD}>&-; exec sleep 600'"
    running(node.start(lymph_like(tmp_path, 'web', program)))


def test_stop_and_start_of_a_definition_or_a_process(node: Any) -> None:
    fleet = node.start(command('one', 'exec sleep 600', 2), command('two', 'exec sleep 600'))
    pids = running(fleet)
    assert fleet.halt(['one.2', 'two']) == ['one.2', 'two.1']
    assert [state(slot) for slot in fleet.slots()] == ['running', 'stopped', 'stopped']
    expect_gone(*pids[1:])
    assert fleet.start(['one', 'two']) == ['one.1', 'one.2', 'two.1']
    assert running(fleet)[0] == pids[0]
    fleet.halt(['one', 'two'])
    assert fleet.start(['two']) == ['two.1']  # a node of which all is stopped goes on
    assert node.stop() is True


def test_start_fails_if_a_process_does_not_become_ready(node: Any) -> None:
    fleet = node.start(
        command('bad', 'exit 3'), policy=dataclasses.replace(node.policy, ready_after=5)
    )
    fleet.halt(['bad'])
    with pytest.raises(NotReady, match=r'bad\.1: the new process ended with exit code 3 before'):
        fleet.start(['bad'])


def test_unknown_name_is_rejected_with_a_suggestion(node: Any) -> None:
    fleet = node.start(command('echo', 'exec sleep 600'))
    with pytest.raises(UnknownName, match="no 'eco'; did you mean 'echo'"):
        fleet.roll(['eco'])
    with pytest.raises(UnknownName, match="no 'xyz'; there are: echo"):
        fleet.halt(['xyz'])
    with pytest.raises(UnknownName, match=r"no 'echo\.1'"):
        fleet.scale('echo.1', 2)


def test_a_rolling_restart_starts_each_before_it_stops_the_one_before(
    node: Any, tmp_path: Path
) -> None:
    fleet = node.start(lymph_like(tmp_path, 'web', SERVES, 3))
    before = running(fleet)
    fewest = [3]

    def count() -> None:
        while True:
            serving = [s for s in fleet.slots() if s.process and s.process.ready.is_set()]
            fewest[0] = min(fewest[0], len(serving))
            gevent.sleep(0.001)

    counting = gevent.spawn(count)
    assert fleet.roll(['web']) == ['web.1', 'web.2', 'web.3']
    counting.kill()
    assert fewest == [3]
    after = running(fleet)
    assert not set(before) & set(after)
    assert all(map(is_gone, before))


def test_process_with_its_own_port_or_another_program_is_stopped_before_its_successor_starts(
    node: Any, tmp_path: Path
) -> None:
    lock = tmp_path / 'lock'
    held = 'trap "rmdir {0}; exit 0" TERM; mkdir {0} || exit 5; {1}; while :; do sleep 0.02; done'
    alone = held.format(lock, 'echo up')
    web = held.format(f'{lock}2', 'echo READY=1 >/dev/fd/$LYMPH_READY_FD')
    fleet = node.start(
        command('other', alone),
        lymph_like(tmp_path, 'web', web),
        fixed_port=lambda definition: 'port 80' if definition.name == 'web' else None,
    )
    before = running(fleet)
    node.said('up')
    fleet.roll()
    assert not set(before) & set(running(fleet))
    assert [slot.last_exit for slot in fleet.slots()] == [0, 0]


def test_rolling_restart_stops_at_a_process_that_does_not_become_ready(
    node: Any, tmp_path: Path
) -> None:
    broken = tmp_path / 'broken'
    fleet = node.start(lymph_like(tmp_path, 'web', f'test -e {broken} && exit 2; {SERVES}', 3))
    before = running(fleet)
    broken.touch()
    with pytest.raises(NotReady) as caught:
        fleet.roll()
    assert str(caught.value) == (
        'the rolling restart ends at web.1: the new process ended with exit code 2 before it was '
        'ready; the one before goes on; not replaced: web.2, web.3'
    )
    assert running(fleet) == before


def test_new_process_that_never_becomes_ready_is_ended(node: Any, tmp_path: Path) -> None:
    broken = tmp_path / 'broken'
    program = f'test -e {broken} && exec sleep 600; {SERVES}'
    policy = dataclasses.replace(node.policy, ready_timeout=0.3)
    fleet = node.start(lymph_like(tmp_path, 'web', program), policy=policy)
    [before] = running(fleet)
    broken.touch()
    with pytest.raises(NotReady, match=r'was not ready within 0\.3 s'):
        fleet.roll()
    assert running(fleet) == [before]
    assert psutil.Process().children(recursive=False)  # the guard and the one before
    assert node.stop() is True


def test_processes_of_a_rolling_restart_end_with_the_node(node: Any, tmp_path: Path) -> None:
    marks = tmp_path / 'marks'
    program = f'echo $$ >>{marks}; test $(wc -l <{marks}) = 1 || exec sleep 600; {SERVES}'
    fleet = node.start(lymph_like(tmp_path, 'web', program))
    running(fleet)
    rolling = gevent.spawn(pytest.raises, NotReady, fleet.roll)
    pids = eventually(
        lambda: len(found := marks.read_text().split()) == 2 and found, PATIENCE, 'a second process'
    )
    assert node.stop() is True
    assert 'web.1: the node is stopping' in str(rolling.get(timeout=PATIENCE).value)
    expect_gone(*map(int, pids))
    with pytest.raises(ChangeRefused, match='the node is stopping'):
        fleet.roll()


def test_scale_adds_ready_processes_and_removes_the_last_ones(node: Any, tmp_path: Path) -> None:
    fleet = node.start(lymph_like(tmp_path, 'web', SERVES))
    [first] = running(fleet)
    assert fleet.scale('web', 3) == ['web.1', 'web.2', 'web.3']
    pids = [pid_of(slot) for slot in fleet.slots()]
    assert [state(slot) for slot in fleet.slots()] == ['running'] * 3
    assert fleet.scale('web', 1) == ['web.1']
    expect_gone(*pids[1:])
    assert fleet.scale('web', 0) == []
    expect_gone(first)
    assert fleet.scale('web', 1) == ['web.1']


@pytest.mark.parametrize('count', [-1, 1001])
def test_scale_rejects_the_numbers_that_a_configuration_rejects(node: Any, count: int) -> None:
    fleet = node.start(command('one', 'exec sleep 600'))
    with pytest.raises(ChangeRefused, match='expected a number of processes from 0 to 1000'):
        fleet.scale('one', count)


def test_process_with_its_own_port_cannot_be_scaled(node: Any) -> None:
    fleet = node.start(command('one', 'exec sleep 600'), fixed_port=lambda _: 'port 80 (x.yml:1)')
    with pytest.raises(ChangeRefused, match=r'2 processes of one cannot all listen at port 80 \(x'):
        fleet.scale('one', 2)


def test_process_with_a_pid_file_cannot_be_scaled(node: Any) -> None:
    command = ('lymph', 'worker', '--pidfile', 'x')
    fleet = node.start(Definition('one', command, 0, Location('one')))
    with pytest.raises(ChangeRefused, match='2 processes of one cannot all have one --pidfile'):
        fleet.scale('one', 2)


def test_reload_changes_only_definitions_that_differ(node: Any) -> None:
    sleeps = 'exec sleep 600'
    fleet = node.start(
        command('same', sleeps, 2), command('more', sleeps), command('gone', sleeps),
        command('other', sleeps), command('calm', sleeps),
    )  # fmt: skip
    before = dict(zip([slot.name for slot in fleet.slots()], running(fleet), strict=True))
    fleet.reload(
        [
            command('same', sleeps, 2), command('more', sleeps, 2), command('new', sleeps),
            command('other', sleeps, env={'A': '1'}),
            command('calm', sleeps, stop_timeout=1, restart='on-failure'),
        ]
    )  # fmt: skip
    running(fleet)
    after = {slot.name: pid_of(slot) for slot in fleet.slots()}
    assert set(after) == {'same.1', 'same.2', 'more.1', 'more.2', 'new.1', 'other.1', 'calm.1'}
    kept = {name for name, pid in after.items() if before.get(name) == pid}
    assert kept == {'same.1', 'same.2', 'more.1', 'calm.1'}
    expect_gone(before['gone.1'], before['other.1'])
    os.kill(after['other.1'], 0)
    node.said('added new')
    node.said('removed gone')


def test_reload_of_a_file_with_moved_lines_changes_nothing(node: Any) -> None:
    one = command('one', 'exec sleep 600')
    fleet = node.start(one)
    before = running(fleet)
    fleet.reload([dataclasses.replace(one, where=Location('x', 7))])
    node.said('read the configuration again: no change')
    assert running(fleet) == before


def test_reload_changes_the_stop_timeout_of_running_processes(node: Any) -> None:
    deaf = command('deaf', "trap '' TERM; echo up; while :; do sleep 0.02; done")
    fleet = node.start(deaf)
    before = running(fleet)
    node.said('up')
    fleet.reload([dataclasses.replace(deaf, stop_timeout=0.1)])
    assert running(fleet) == before
    assert node.stop() is False
    expect_gone(*before)


def test_reload_keeps_the_effects_of_scale_and_stop(node: Any) -> None:
    sleeps = 'exec sleep 600'
    one, two = command('one', sleeps), command('two', sleeps)
    fleet = node.start(one, two)
    running(fleet)
    fleet.scale('one', 2)
    fleet.halt(['two'])
    fleet.reload([one, dataclasses.replace(two, env={'A': '1'})])
    assert [state(slot) for slot in fleet.slots()] == ['running', 'running', 'stopped']
    fleet.start(['two'])
    assert slot_of(fleet, 'two').definition.env == {'A': '1'}
    fleet.reload([dataclasses.replace(one, numprocesses=3), two])
    assert len(running(fleet)) == 4


def test_reload_restarts_failed_processes_at_once(node: Any, tmp_path: Path) -> None:
    mended = tmp_path / 'mended'
    bad = command('bad', f'test -e {mended} || exit 2; exec sleep 600')
    fleet = node.start(bad, policy=dataclasses.replace(node.policy, failed_delay=3600))
    becomes(slot_of(fleet, 'bad'), 'failed')
    mended.touch()
    fleet.reload([bad])
    running(fleet)


def test_failed_reload_keeps_running_processes_and_can_be_repeated(
    node: Any, tmp_path: Path
) -> None:
    good = lymph_like(tmp_path, 'web', f'test "$A" = bad && exit 2; {SERVES}', 2)
    fleet = node.start(good)
    before = running(fleet)
    with pytest.raises(NotReady, match=r'not replaced: web\.2'):
        fleet.reload([dataclasses.replace(good, env={'A': 'bad'})])
    assert running(fleet) == before
    fleet.reload([good])
    assert running(fleet) == before
    fleet.reload([dataclasses.replace(good, env={'A': 'fine'})])
    assert not set(running(fleet)) & set(before)


def test_stopped_process_stays_down_while_others_are_replaced(node: Any, tmp_path: Path) -> None:
    end = tmp_path / 'end'
    slow = f"trap 'while ! test -e {end}; do sleep 0.02; done; exit 0' TERM; echo up"
    fleet = node.start(
        command('slow', f'{slow}; while :; do sleep 0.02; done'),
        lymph_like(tmp_path, 'web', f'while ! test -e {end}; do sleep 0.02; done; {SERVES}'),
        command('last', 'sleep 600'),
    )
    node.said('up')
    stopping = gevent.spawn(fleet.halt, ['slow'])
    becomes(slot_of(fleet, 'slow'), 'stopping')
    rolling = gevent.spawn(fleet.roll)
    started = 'web.1: started'
    said = fleet.output.recent
    eventually(
        lambda: sum(started in line.text for line in said.newest(1000, None)) == 2,
        PATIENCE,
        'a second web.1',
    )
    fleet.halt(['last'])
    end.touch()
    assert rolling.get(timeout=PATIENCE) == ['web.1']
    assert stopping.get(timeout=PATIENCE) == ['slow.1']
    assert [state(slot) for slot in fleet.slots(['slow', 'last'])] == ['stopped', 'stopped']


def test_process_that_cannot_be_started_in_a_rolling_restart_is_retried(
    node: Any, tmp_path: Path
) -> None:
    folder, elsewhere = tmp_path / 'folder', tmp_path / 'elsewhere'
    folder.mkdir()
    fleet = node.start(command('one', 'exec sleep 600', cwd=str(folder)))
    [first] = running(fleet)
    folder.rename(elsewhere)
    with pytest.raises(NotReady, match=r"one\.1: no folder '.* \(cwd\)"):
        fleet.roll()
    expect_gone(first)
    elsewhere.rename(folder)
    [second] = running(fleet)
    assert second != first


def test_starting_a_process_that_is_being_removed_is_rejected(node: Any, tmp_path: Path) -> None:
    end = tmp_path / 'end'
    slow = f"trap 'while ! test -e {end}; do sleep 0.02; done; exit 0' TERM; echo up"
    fleet = node.start(command('slow', f'{slow}; while :; do sleep 0.02; done'))
    node.said('up')
    slot = slot_of(fleet, 'slow')
    scaling = gevent.spawn(fleet.scale, 'slow', 0)
    becomes(slot, 'stopping')
    starting = gevent.spawn(fleet.start, ['slow'])
    gevent.idle()
    end.touch()
    with pytest.raises(NotReady, match=r'slow\.1: it was taken away meanwhile'):
        starting.get(timeout=PATIENCE)
    assert scaling.get(timeout=PATIENCE) == []
    assert slot.process is None
