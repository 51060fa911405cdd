"""`lymph node` with real processes."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import psutil
import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0

#: Says its pid, does as its argument says, and lives until a signal ends it.
WORKER = """
import os, signal, subprocess, sys, time

how = sys.argv[1]
if how == 'deaf':
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
if how == 'has-child':
    subprocess.Popen([sys.executable, __file__, 'waits'], start_new_session=True)
print('pid', os.getpid(), flush=True)
if how == 'fails':
    sys.exit(3)
while True:
    time.sleep(60)
"""


def start(shell: Any, section: str, *options: str) -> Any:
    """Start a node; in `section`, `worker` is replaced by the command of the worker."""
    shell.write('worker.py', WORKER)
    section = section.replace('worker', f'{sys.executable} worker.py')
    shell.write('.lymph.yml', f'instances: {{{section}}}')
    return shell.start('node', *options)


def pids(node: Any, name: str, count: int = 1) -> list[int]:
    """Wait until the processes of that name, and their children, have printed `count` pids."""
    pattern = re.compile(rf'^{re.escape(name)} *\| pid (\d+)$', re.M)

    def said() -> list[int]:
        found = [int(pid) for pid in pattern.findall(node.stdout)]
        return found if len(found) >= count else []

    return eventually(said, PATIENCE, lambda: node.stdout + node.stderr)


def is_gone(pid: int) -> bool:
    """Tell whether a process has ended, reaped or not."""
    try:
        return bool(psutil.Process(pid).status() == psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return True


def expect_gone(*numbers: int) -> None:
    for pid in numbers:
        eventually(lambda pid=pid: is_gone(pid), PATIENCE, f'end of {pid}')


def test_each_instance_runs_numprocesses_times_and_its_lines_start_with_its_name(
    shell: Any,
) -> None:
    node = start(
        shell, 'two: {command: worker waits, numprocesses: 2}, one: {command: worker waits}'
    )
    alive = [pids(node, name)[0] for name in ('two.1', 'two.2', 'one.1')]
    assert len(set(alive)) == 3
    node.signal(signal.SIGTERM)
    assert node.end() == 0
    expect_gone(*alive)


def test_a_second_signal_kills_at_once(shell: Any) -> None:
    node = start(shell, 'one: {command: worker deaf}', '--stop-timeout=600')
    [pid] = pids(node, 'one.1')
    node.signal(signal.SIGTERM)
    node.said('stopping')
    node.signal(signal.SIGTERM)
    assert node.end() == 1
    expect_gone(pid)


def test_a_killed_node_leaves_nothing_behind(shell: Any) -> None:
    node = start(
        shell,
        'one: {command: worker waits}, deaf: {command: worker deaf, stop_timeout: 0.2}, '
        'parent: {command: worker has-child}',
    )
    alive = [*pids(node, 'one.1'), *pids(node, 'deaf.1'), *pids(node, 'parent.1', 2)]
    alive += [child.pid for child in psutil.Process(node.pid).children(recursive=True)]
    node.signal(signal.SIGKILL)
    assert node.end() == 128 + signal.SIGKILL
    expect_gone(*alive)


def test_killed_guard_is_replaced(shell: Any) -> None:
    node = start(shell, 'one: {command: worker waits}', '--stop-timeout=0.5')
    [pid] = pids(node, 'one.1')

    def guards() -> list[int]:
        children = psutil.Process(node.pid).children()
        return [each.pid for each in children if each.pid != pid and not is_gone(each.pid)]

    [guard] = guards()
    os.kill(guard, signal.SIGKILL)
    successor = eventually(lambda: set(guards()) - {guard}, PATIENCE, 'another guard')
    node.signal(signal.SIGKILL)
    node.end()
    expect_gone(pid, *successor)


def test_signals_restart_and_reload_and_are_not_passed_on(shell: Any) -> None:
    node = start(shell, 'one: {command: worker waits}')
    [pid] = pids(node, 'one.1')
    node.signal(signal.SIGUSR1)
    node.said('Waiting greenlets of process')
    node.said('slot.py')
    assert not is_gone(pid)
    node.signal(signal.SIGUSR2)
    restarted = pids(node, 'one.1', 2)[1]
    shell.write('.lymph.yml', 'instances: {one: {comand: x}}')
    node.signal(signal.SIGHUP)
    node.said("did you mean 'command'?; nothing was changed")
    shell.write('.lymph.yml', 'instances: {one: {command: sleep 600}, two: {command: sleep 600}}')
    node.signal(signal.SIGHUP)
    node.said('read the configuration again: changed one, added two')
    expect_gone(pid, restarted)
    node.said('two.1: started')
    node.signal(signal.SIGTERM)
    assert node.end() == 0


def test_closed_terminal_stops_a_node(shell: Any) -> None:
    shell.write('.lymph.yml', 'instances: {one: {command: sleep 600}}')
    master, slave = os.openpty()
    script = (
        'import fcntl, os, sys, termios; os.setsid(); fcntl.ioctl(0, termios.TIOCSCTTY, 0); '
        'os.execv(sys.argv[1], sys.argv[1:])'
    )
    node = shell.start('-c', script, str(shell.lymph), 'node', stdin=slave, program=sys.executable)
    os.close(slave)
    node.said('one.1: started')
    os.close(master)
    assert node.end() == 0


def test_forks_of_a_node_cause_no_warning(shell: Any) -> None:
    """Python 3.12 and later warn about forks in a process with threads, here the writing one."""
    shell.environ['PYTHONWARNINGS'] = 'default'
    node = start(shell, 'one: {command: worker fails}')
    pids(node, 'one.1', 2)
    node.signal(signal.SIGTERM)
    node.end()
    assert 'multi-threaded' not in node.stderr


def test_process_that_is_stopped_while_it_starts_counts_as_a_clean_stop(shell: Any) -> None:
    shell.write('slow.py', 'import time\nprint("importing")\ntime.sleep(600)')
    shell.write('slow.yml', 'interfaces: {slow: {class: "slow:Slow"}}')
    shell.write('.lymph.yml', 'instances: {slow: {command: lymph instance -c slow.yml}}')
    node = shell.start('node')
    node.said('importing')
    node.signal(signal.SIGTERM)
    assert node.end() == 0


def test_node_stops_when_the_reader_of_its_output_is_gone(shell: Any) -> None:
    shell.write(
        '.lymph.yml', "instances: {one: {command: sh -c 'while echo x; do sleep 0.1; done'}}"
    )
    reading, writing = os.pipe()
    node = shell.start('node', stdout=writing)
    os.close(writing)
    assert os.read(reading, 3)
    os.close(reading)
    assert node.end() == 0


def test_instances_use_the_configuration_variables_and_lymph_of_their_node(
    shell: Any,
) -> None:
    shell.environ['PATH'] = os.defpath
    shell.write('vars.yml', 'size: 7\n')
    shell.write('own.yml', 'interfaces: {}\n')
    command = "sh -c 'cd / && lymph config --json && exec sleep 60'"
    shell.write(
        'conf/node.yml',
        f'container: {{pool_size: $(var.size)}}\ninstances: {{one: {{command: {command}}}}}\n',
    )
    node = shell.start('node', '--config=conf/node.yml', '--vars=vars.yml')
    node.said('"pool_size": 7')
    node.signal(signal.SIGTERM)
    assert node.end() == 0


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        (None, 'expected .lymph.yml in this folder'),
        ('container: {}', 'nothing to run'),
        ('instances: {one: {command: no-such-program}}', "no program 'no-such-program'"),
    ],
)
def test_invalid_configuration_is_one_line_and_exit_code_2(
    shell: Any, text: str | None, complaint: str
) -> None:
    if text is not None:
        shell.write('.lymph.yml', text)
    done = shell.run('node')
    assert done.exit_code == 2
    [line] = done.stderr.splitlines()
    assert complaint in line


def test_lines_of_processes_cannot_control_the_terminal(shell: Any) -> None:
    shell.write('loud.sh', r"printf '\033[2J\tred\033[31m\rback\302\233\n'" + '\n')
    node = start(shell, "loud: {command: 'sh loud.sh'}", '--color')
    assert node.end() == 0
    assert '\\x1b[2J\tred\\x1b[31m\\rback\\x9b\n' in node.stdout


def test_systemd_is_notified_by_the_node_and_not_by_its_processes(
    shell: Any, tmp_path: Path
) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / 'notify'))
        systemd.settimeout(PATIENCE)
        shell.environ['NOTIFY_SOCKET'] = str(tmp_path / 'notify')
        node = start(shell, 'one: {command: worker waits, numprocesses: 2}')
        assert systemd.recv(4096) == b'READY=1\nSTATUS=one (2)'
        [pid, _] = pids(node, 'one.1') + pids(node, 'one.2')
        assert 'NOTIFY_SOCKET' not in psutil.Process(pid).environ()
        assert ' '.join(psutil.Process(node.pid).cmdline()).startswith('lymph node: ')
        node.signal(signal.SIGTERM)
        assert systemd.recv(4096).startswith(b'STOPPING=1\n')
        assert node.end() == 0
