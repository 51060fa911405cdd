"""The effect of signals on commands, from start to exit."""

from __future__ import annotations

import json
import os
import random
import signal
from pathlib import Path
from typing import Any

import psutil
import pytest

from lymph.testing.waiting import eventually, let_pass

PATIENCE = 30.0
ENDING = [signal.SIGTERM, signal.SIGINT, signal.SIGHUP]

SLOW_IMPORT = """
import time
import lymph

print('importing')
time.sleep(600)
"""

BUSY = """
import os
import time
import lymph

class Busy(lymph.Interface):
    def on_start(self):
        for _ in range(2000):
            self.spawn(self.wait_for_nothing)

    def wait_for_nothing(self):
        time.sleep(600)

    @lymph.rpc()
    def never_yield(self):
        print('turning')
        while not os.path.exists('enough'):
            pass
        return 'enough'
"""

#: Takes Ctrl-C as programs in Python do.
OWN = """
import time
import click

@click.command()
def command():
    try:
        click.echo('waiting')
        time.sleep(600)
    except KeyboardInterrupt:
        click.echo('interrupted')
        raise
"""


def hears(running: Any) -> bool:
    """Tell whether `lymph` itself has started: before that, Python handles signals."""
    status = Path(f'/proc/{running.pid}/status').read_text()
    [caught] = [line.split()[1] for line in status.splitlines() if line.startswith('SigCgt')]
    return bool(int(caught, 16) >> (signal.SIGTERM - 1) & 1)


@pytest.mark.parametrize('number', ENDING)
def test_signal_while_modules_are_imported_ends_at_once(shell: Any, number: int) -> None:
    shell.write('slow.py', SLOW_IMPORT)
    shell.write('slow.yml', 'interfaces: {slow: {class: "slow:Slow"}}\n')
    slow = shell.start('instance', '-c', 'slow.yml')
    slow.said('importing')
    slow.signal(number)
    assert slow.end() == 128 + number
    assert slow.stderr == ''


def test_signal_while_modules_are_imported_ends_process_1(shell: Any) -> None:
    shell.write('slow.py', SLOW_IMPORT)
    shell.write('slow.yml', 'interfaces: {slow: {class: "slow:Slow"}}\n')
    allowed = () if os.geteuid() == 0 else ('-Ur',)
    outer = shell.start(
        *(*allowed, '--pid', '--fork', '--kill-child', str(shell.lymph)),
        *('instance', '-c', 'slow.yml'),
        program='/usr/bin/unshare',
    )
    outer.said('importing')
    [inner] = psutil.Process(outer.pid).children()
    inner.send_signal(signal.SIGTERM)
    assert outer.end() == 143


@pytest.mark.parametrize(
    'arguments',
    [
        ('list',),
        ('discover',),
        ('request', 'echo.upper', 'text=foo'),
        ('instance', '-c', 'echo.yml'),
        ('node', '-c', 'node.yml'),
    ],
    ids=lambda arguments: arguments[0],
)
def test_interrupt_at_any_moment_is_a_clean_end(shell: Any, arguments: tuple[str, ...]) -> None:
    shell.write('node.yml', 'instances: {one: {command: sleep 600}}')
    shell.start_echo()
    for _ in range(6):
        running = shell.start(*arguments)
        eventually(lambda running=running: running.process.poll() is not None or hears(running))
        let_pass(random.uniform(0, 0.6), 'the signal comes at any moment')
        running.signal(signal.SIGINT)
        assert running.end() in (0, 130)
        assert 'Traceback' not in running.stderr
        assert 'Exception' not in running.stderr


@pytest.mark.parametrize('number', ENDING)
def test_client_command_cleans_up_and_exits_by_the_signal(shell: Any, number: int) -> None:
    shell.write('.lymph.yml', 'container: {events: {class: embedded}}')
    subscribed = shell.start('subscribe', 'order.placed')
    subscribed.said('subscribed')
    subscribed.signal(number)
    assert subscribed.end() == 128 + number
    assert len(subscribed.stderr.splitlines()) == 1


def test_third_party_command_gets_its_keyboard_interrupt(shell: Any) -> None:
    shell.write('site/own.py', OWN)
    shell.write('site/own-1.dist-info/METADATA', 'Metadata-Version: 2.1\nName: own\nVersion: 1')
    shell.write('site/own-1.dist-info/entry_points.txt', '[lymph.cli]\nown = own:command\n')
    shell.environ['PYTHONPATH'] = str(shell.folder / 'site')
    own = shell.start('own')
    own.said('waiting')
    own.signal(signal.SIGINT)
    assert own.end() == 130
    assert own.stdout == 'waiting\ninterrupted\n'
    assert own.stderr == ''


def test_ignored_signal_stays_ignored(shell: Any) -> None:
    shell.write('echo_service.py', BUSY)
    shell.write('busy.yml', 'interfaces: {busy: {class: "echo_service:Busy"}}\n')
    script = 'trap "" HUP; exec "$@"'
    arguments = (str(shell.lymph), 'instance', '-c', 'busy.yml')
    busy = shell.start('-c', script, 'sh', *arguments, program='/bin/sh')
    busy.said('busy at tcp://')
    busy.signal(signal.SIGHUP)
    assert list(json.loads(shell.run('discover', '--json').stdout)) == ['busy']
    busy.signal(signal.SIGTERM)
    assert busy.end() == 0


def test_stacks_are_shown_on_request_and_the_process_continues(shell: Any) -> None:
    shell.write('busy_service.py', BUSY)
    shell.write('busy.yml', 'interfaces: {busy: {class: "busy_service:Busy"}}\n')
    busy = shell.start('instance', '-c', 'busy.yml')
    busy.said('busy at tcp://')
    busy.signal(signal.SIGUSR2)
    busy.signal(signal.SIGUSR1)
    busy.said('2000 x Greenlet')
    busy.said('in wait_for_nothing')
    eventually(lambda: busy.stderr.endswith('\n'), PATIENCE)
    assert len(busy.stderr) < 100_000
    asking = shell.start('request', 'busy.never_yield', '--timeout=60')
    busy.said('turning')
    busy.signal(signal.SIGUSR1)
    busy.said('in never_yield')
    shell.write('enough', '')
    assert asking.end() == 0
    busy.signal(signal.SIGHUP)
    assert busy.end() == 0
