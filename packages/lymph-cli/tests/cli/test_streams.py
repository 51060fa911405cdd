"""The standard streams of commands: lines are flushed at once, and streams may be unusable."""

from __future__ import annotations

import os
import signal
from typing import Any

import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0

TALKER = """
import lymph

print('imported')

class Talker(lymph.Interface):
    def on_start(self):
        print('starts')

    @lymph.rpc()
    def talk(self):
        print('talks')
        return 'talked'

    @lymph.task()
    def work(self):
        pass
"""

#: What prints without a service.
PRINTING = [
    ('--help',),
    ('--version',),
    ('help', 'list'),
    ('dlq', 'list', '--help'),
    ('list',),
    ('config', '--json'),
]


@pytest.fixture
def talker(shell: Any) -> Any:
    shell.write('talker.py', TALKER)
    shell.write('talker.yml', 'interfaces: {talker: {class: "talker:Talker"}}\n')
    return shell


def test_lines_of_a_service_reach_a_file_when_they_are_printed(talker: Any) -> None:
    running = talker.start('instance', '-c', 'talker.yml')
    running.said('talker at tcp://')
    assert running.stdout == 'imported\nstarts\n'
    assert talker.run('request', 'talker.talk').exit_code == 0
    assert running.stdout == 'imported\nstarts\ntalks\n'


def test_lines_of_a_worker_reach_a_pipe_when_they_are_printed(talker: Any) -> None:
    reading, writing = os.pipe()
    running = talker.start('worker', '-c', 'talker.yml', stdout=writing)
    os.close(writing)
    with open(reading) as lines:
        running.said('talker.worker at tcp://')
        assert [lines.readline(), lines.readline()] == ['imported\n', 'starts\n']


@pytest.mark.parametrize('arguments', PRINTING, ids=' '.join)
def test_output_that_cannot_be_written_is_one_line(shell: Any, arguments: tuple[str, ...]) -> None:
    for redirection, reason in (
        ('>/dev/full', 'No space left on device'),
        ('>&-', 'Bad file descriptor'),
    ):
        done = shell.run_redirected(redirection, *arguments)
        assert (done.exit_code, done.stdout) == (1, '')
        assert done.stderr == f'lymph: cannot write to stdout: {reason}\n'


def test_full_unbuffered_stdout_is_one_line_too(shell: Any) -> None:
    shell.environ['PYTHONUNBUFFERED'] = '1'
    for arguments in (('queues', '--json'), ('--help',)):
        done = shell.run_redirected('>/dev/full', *arguments)
        assert done.exit_code == 1
        assert done.stderr == 'lymph: cannot write to stdout: No space left on device\n'


def test_output_longer_than_all_buffers_that_cannot_be_written_is_one_line(shell: Any) -> None:
    shell.write('long.yml', f'long: {"x" * 200_000}\n')
    arguments = ('config', 'long', '-c', 'long.yml')
    assert len(shell.run(*arguments).stdout) > 200_000
    done = shell.run_redirected('>/dev/full', *arguments)
    assert done.exit_code == 1
    assert done.stderr == 'lymph: cannot write to stdout: No space left on device\n'
    reading, writing = os.pipe()
    running = shell.start(*arguments, stdout=writing)
    os.close(writing)
    os.read(reading, 1)
    os.close(reading)
    assert running.end() == 141
    assert running.stderr == ''


@pytest.mark.parametrize('redirection', ['2>&-', '2>/dev/full', '<&- 2>&-'])
def test_unwritable_stderr_changes_nothing(shell: Any, redirection: str) -> None:
    assert shell.run_redirected(redirection, 'list').exit_code == 0
    assert shell.run_redirected(redirection, 'discover').exit_code == 0
    assert shell.run_redirected(redirection, 'no-such-command').exit_code == 2


def test_closed_pipe_ends_a_command_silently(shell: Any) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    for arguments, unbuffered in ((('--help',), ''), (('list',), ''), (('--help',), '1')):
        shell.environ['PYTHONUNBUFFERED'] = unbuffered
        running = shell.start(*arguments, stdout=writing)
        assert running.end() == 141
        assert running.stderr == ''
    os.close(writing)


def test_output_of_third_party_commands_is_checked_at_the_end(shell: Any) -> None:
    shell.write(
        'site/quiet.py', 'import click\n@click.command()\ndef command(): print("x", end="")'
    )
    shell.write('site/quiet-1.dist-info/METADATA', 'Metadata-Version: 2.1\nName: quiet\nVersion: 1')
    shell.write('site/quiet-1.dist-info/entry_points.txt', '[lymph.cli]\nquiet = quiet:command\n')
    shell.environ['PYTHONPATH'] = str(shell.folder / 'site')
    assert shell.run('quiet').stdout == 'x'
    done = shell.run_redirected('>/dev/full', 'quiet')
    assert done.exit_code == 1
    assert done.stderr == 'lymph: cannot write to stdout: No space left on device\n'


@pytest.mark.parametrize('command', [('instance', '-c', 'talker.yml'), ('node',)])
def test_services_run_without_standard_streams(talker: Any, command: tuple[str, ...]) -> None:
    talker.write('.lymph.yml', 'instances: {talker: {command: lymph instance -c talker.yml}}')
    running = talker.start_redirected('<&- >&-', *command)
    eventually(lambda: talker.run('request', 'talker.talk').exit_code == 0, PATIENCE)
    running.signal(signal.SIGTERM)
    assert running.end() == 0
    assert 'Error' not in running.stderr


def test_node_survives_a_full_disk_behind_its_output(shell: Any) -> None:
    command = "sh -c 'echo x; echo y; exec sleep 600'"
    shell.write('.lymph.yml', f'instances: {{one: {{command: {command}}}}}')
    with open('/dev/full', 'wb') as full:
        node = shell.start('node', stdout=full.fileno())
        node.said('lines of processes are lost: No space left on device')
        node.signal(signal.SIGTERM)
        assert node.end() == 1
    assert 'Traceback' not in node.stderr
    assert node.stderr.count('cannot write to stdout') == 1
