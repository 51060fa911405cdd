"""`lymph top` with real services, in a pipe and on a terminal."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Iterator
from typing import Any

import psutil
import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0

#: Calls itself, and emits events.
BUSY = """
import gevent
import lymph

class Busy(lymph.Interface):
    @lymph.rpc()
    def work(self):
        gevent.sleep(0.002)

    @lymph.rpc()
    def fail(self):
        raise ValueError('not today')

    @lymph.event('busy.done')
    def on_done(self, event):
        pass

    def on_start(self):
        self.spawn(self.go_on)

    def go_on(self):
        while True:
            gevent.sleep(0.02)
            try:
                self.request('busy', 'busy.work')
                self.request('busy', 'busy.fail')
            except lymph.RpcError:
                pass
            self.emit('busy.done', {})
"""


@pytest.fixture(scope='module')
def busy(shared_shell: Any, forking: Any) -> Any:
    """A shell with a service that is busy, and another one that is idle."""
    shell = shared_shell
    shell.write('busy_service.py', BUSY)
    shell.write('busy.yml', 'interfaces: {busy: {class: "busy_service:Busy"}}\n')
    shell.start('instance', '--config=busy.yml').said('busy at tcp://')
    shell.start_echo()
    shell.run = lambda *words: forking.piped(words, shell.folder, shell.environ)
    return shell


def test_json_has_rates_and_latencies(busy: Any) -> None:
    done = busy.run('top', '--json', '--interval', '500ms')
    assert (done.exit_code, done.stderr) == (0, '')
    snapshot = json.loads(done.stdout)
    found, echo = snapshot['services']
    assert (found['name'], echo['name']) == ('busy', 'echo')
    assert found['calls']['rate'] > 0
    assert 0 < found['calls']['error_share'] < 1
    assert 0 < found['calls']['p50'] <= found['calls']['p99']
    assert {each['name'] for each in found['methods']} == {'busy.work', 'busy.fail'}
    assert found['events']['rate'] > 0
    assert echo['calls']['rate'] == 0
    assert [each['queue'] for each in snapshot['queues']] == ['busy.on_done']
    assert snapshot['registry']['connected'] is True


def test_a_pipe_gets_a_table(busy: Any) -> None:
    done = busy.run('top', '-d', '0.3')
    assert (done.exit_code, done.stderr) == (0, '')
    titles, first, second = done.stdout.splitlines()
    assert titles.split()[:3] == ['SERVICE', 'UP', 'RATE/S']
    assert (first.split()[0], second.split()[0]) == ('busy', 'echo')
    assert float(first.split()[2]) > 0


def test_instances_are_listed_and_sorted(busy: Any) -> None:
    done = busy.run('top', '-d', '0.1', '--once', '-i', '--sort=name', 'echo', 'busy')
    rows = [re.split(r'\s{2,}', row) for row in done.stdout.splitlines()]
    assert rows[0][:3] == ['SERVICE', 'INSTANCE', 'UP']
    assert [row[0] for row in rows[1:]] == ['busy', 'busy', 'echo', 'echo']
    assert 'tcp://127.0.0.1:' in rows[2][1]


def test_a_service_that_is_not_there_is_an_error(busy: Any) -> None:
    done = busy.run('top', '-d', '0.1', 'busi')
    assert (done.exit_code, done.stdout) == (1, '')
    assert "did you mean 'busy'?" in done.stderr


def test_an_instance_that_is_stopped_is_silent(busy: Any) -> None:
    stopped = busy.start_echo()
    stopped.signal(signal.SIGSTOP)
    try:
        snapshot = json.loads(busy.run('top', '--json', '-d', '0.2').stdout)
        printed = busy.run('top', '--once', '-d', '0.2')
    finally:
        stopped.signal(signal.SIGKILL)
        stopped.end()
    found, echo = snapshot['services']
    assert found['calls']['rate'] > 0
    assert (echo['up'], len(echo['instances'])) == (1, 2)
    (silent,) = [each for each in echo['instances'] if each['status'] != 'up']
    assert silent['status'] == 'silent'
    assert silent['problem']
    assert silent['since'] <= snapshot['at']
    assert silent['calls']['rate'] is None
    assert printed.exit_code == 0
    (said,) = printed.stderr.splitlines()
    assert said.startswith(f'{silent["endpoint"]}  no ')


class Top:
    """`lymph top` on a terminal of its own, as the leader of a session."""

    def __init__(self, shell: Any, *arguments: str, **environ: str) -> None:
        self.ours, theirs = pty.openpty()
        self.resize(100, 20)
        self.before = termios.tcgetattr(theirs)
        self.screen = b''
        # A child of a child: a process group without a parent in its session cannot be stopped.
        self.process = subprocess.Popen(
            [sys.executable, '-c', SHELL, str(shell.lymph), 'top', '-d', '0.2', *arguments],
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            cwd=shell.folder,
            env={**shell.environ, 'TERM': 'xterm-256color', 'LANG': 'C.UTF-8', **environ},
            start_new_session=True,
        )
        self.theirs = theirs

    def resize(self, columns: int, lines: int) -> None:
        fcntl.ioctl(self.ours, termios.TIOCSWINSZ, struct.pack('HHHH', lines, columns, 0, 0))

    def type(self, text: str) -> None:
        os.write(self.ours, text.encode())

    @property
    def modes(self) -> list[Any]:
        return termios.tcgetattr(self.theirs)

    def read(self, patience: float = 0.1) -> None:
        while select.select([self.ours], [], [], patience)[0]:
            self.screen += os.read(self.ours, 65536)
            patience = 0.0

    def lines(self) -> list[str]:
        """Return what is on the screen: what was drawn last."""
        self.read()
        drawn = self.screen.split(b'\x1b[?2026h\x1b[H')
        whole = [each for each in drawn[1:] if b'\x1b[?2026l' in each]
        text = whole[-1].partition(b'\x1b[J')[0].decode() if whole else ''
        return [re.sub(r'\x1b\[[0-9;?]*[A-Za-z]', '', each) for each in text.split('\r\n')]

    def shows(self, pattern: str) -> re.Match[str]:
        """Wait until a line is shown that fits; return the match."""
        return eventually(
            lambda: next(filter(None, (re.search(pattern, each) for each in self.lines())), None),
            PATIENCE,
            lambda: f'{pattern!r} is not in {self.lines()}',
        )

    def rows(self) -> list[str]:
        """Return the names of the services, in their order."""
        found = [re.match(r'[ >](busy|echo) ', each) for each in self.lines()]
        return [each[1] for each in found if each is not None]

    def end(self) -> int:
        eventually(lambda: (self.read(0.0), self.process.poll() is not None)[1], PATIENCE)
        self.read(0.0)
        return self.process.returncode

    def close(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(PATIENCE)
        for descriptor in (self.ours, self.theirs):
            os.close(descriptor)


#: Runs a command in a process group of its own in the foreground, as a shell does; it goes on when
#: a line is typed after it was stopped.
SHELL = """
import fcntl, os, signal, sys, termios
fcntl.ioctl(0, termios.TIOCSCTTY, 0)
signal.signal(signal.SIGTTOU, signal.SIG_IGN)
modes = termios.tcgetattr(0)
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    os.tcsetpgrp(0, os.getpid())
    signal.signal(signal.SIGTTOU, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.execv(sys.argv[1], sys.argv[1:])
while True:
    _, status = os.waitpid(child, os.WUNTRACED)
    os.tcsetpgrp(0, os.getpid())
    if not os.WIFSTOPPED(status):
        break
    print('STOPPED', termios.tcgetattr(0) == modes, flush=True)
    sys.stdin.readline()
    os.tcsetpgrp(0, child)
    os.kill(child, signal.SIGCONT)
sys.exit(os.waitstatus_to_exitcode(status) % 256)
"""


@pytest.fixture
def top(busy: Any) -> Iterator[Any]:
    running = []

    def start(*arguments: str, **environ: str) -> Top:
        running.append(Top(busy, *arguments, **environ))
        return running[-1]

    yield start
    for each in running:
        each.close()


def test_rates_appear_and_keys_sort(top: Any) -> None:
    shown = top()
    rate = shown.shows(r'^>busy +1 +([0-9.]+) ')[1]
    assert float(rate) > 0
    assert shown.modes != shown.before
    assert shown.rows() == ['busy', 'echo']
    shown.type('r')
    eventually(lambda: shown.rows() == ['echo', 'busy'], PATIENCE)
    shown.type('0')
    shown.shows(r'^SERVICE\*')
    assert shown.rows() == ['busy', 'echo']
    shown.type('q')
    assert shown.end() == 0
    assert shown.modes == shown.before
    # the screen was given back, with its cursor
    assert shown.screen.endswith(b'\x1b[?7h\x1b[?25h\x1b[?1049l')


def test_pages_open_down_to_the_latencies_of_a_method(top: Any) -> None:
    shown = top()
    shown.shows(r'^>busy +1 +[0-9.]+ ')
    shown.type(' ')
    shown.shows(r'[0-9a-f]{8} 127\.0\.0\.1:[0-9]+ .* up ')
    shown.type('\r')
    shown.shows(r'busy\.fail .*100%')
    shown.type('/work\r')
    shown.shows(r'^>busy\.work ')
    shown.type('\x1b[C')
    shown.shows(r'<= \S+ +[0-9]+ +[0-9.]+%  █')
    shown.type('\x1b')
    shown.shows('^METHOD')
    shown.type('?')
    shown.shows('Keys of lymph top')
    shown.type('?')
    shown.shows('^METHOD')
    shown.type('\x1b[D\x1b[D')
    shown.shows('^SERVICE')
    shown.shows(r'^ busy\.on_done ')
    shown.type('\t')
    shown.shows(r'^>busy\.on_done ')


@pytest.mark.parametrize(
    ('number', 'code'), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_signals_end_it_quietly_and_restore_the_terminal(
    top: Any, number: signal.Signals, code: int
) -> None:
    shown = top()
    shown.shows('^>busy')
    if number == signal.SIGINT:
        shown.type('\x03')
    else:
        os.kill(psutil.Process(shown.process.pid).children()[0].pid, number)
    assert shown.end() == code
    assert shown.modes == shown.before
    assert shown.screen.endswith(b'\x1b[?1049l')


def test_it_stops_and_goes_on(top: Any) -> None:
    shown = top()
    shown.shows('^>busy')
    shown.type('\x1a')
    eventually(lambda: (shown.read(), b'STOPPED True' in shown.screen)[1], PATIENCE)
    assert shown.screen.partition(b'STOPPED')[0].endswith(b'\x1b[?1049l')
    shown.screen = b''
    shown.type('\n')
    shown.shows('^>busy')
    assert shown.modes != shown.before
    shown.type('r')
    eventually(lambda: shown.rows() == ['echo', 'busy'], PATIENCE)
    shown.type('q')
    assert shown.end() == 0
    assert shown.modes == shown.before


def test_it_follows_the_size_of_the_terminal(top: Any) -> None:
    shown = top()
    shown.shows('P50')
    shown.resize(40, 10)
    eventually(lambda: max(map(len, shown.lines())) <= 40 and len(shown.lines()) == 10, PATIENCE)
    assert 'P50' not in ''.join(shown.lines())


def test_without_colors_there_are_none(top: Any) -> None:
    shown = top(NO_COLOR='1')
    shown.shows(r'^>busy +1 +[0-9.]+ ')
    assert re.findall(rb'\x1b\[[0-9;]*m', shown.screen) == []


def test_a_terminal_that_cannot_move_its_cursor_gets_a_table(top: Any) -> None:
    shown = top(TERM='dumb')
    assert shown.end() == 0
    assert b'printed once' in shown.screen
    assert re.search(rb'\nbusy +1 ', shown.screen)
    assert b'\x1b[?1049h' not in shown.screen
