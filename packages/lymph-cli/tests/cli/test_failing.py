"""What operators see when something that a command needs cannot be used: one line."""

from __future__ import annotations

from typing import Any

import pytest

PATIENCE = 30.0


def expect_one_line(done: Any, exit_code: int, words: str) -> None:
    assert (done.exit_code, done.stdout) == (exit_code, '')
    [line] = done.stderr.splitlines()
    assert words in line


@pytest.mark.parametrize(
    'command', [('emit', 'x'), ('dlq', 'list'), ('queues',), ('subscribe', 'x')]
)
def test_unreadable_event_store_is_one_line(quick_shell: Any, command: tuple[str, ...]) -> None:
    store = quick_shell.write('state/events/events.sqlite', 'no database ' * 100)
    expect_one_line(quick_shell.run(*command), 2, 'events.sqlite is damaged or no events database')
    store.unlink()
    store.mkdir()
    expect_one_line(quick_shell.run(*command), 2, 'Is a directory')


@pytest.mark.parametrize(
    ('url', 'command', 'words'),
    [
        ('amqp://me:pa55@127.0.0.1:1//', ('emit', 'x'), 'connection refused'),
        ('amqp://me:pa55@127.0.0.1:1//', ('subscribe', 'x'), 'connection refused'),
        ('amqp://me:pa55@no.such.invalid//', ('dlq', 'list'), 'unknown host'),
        ('redis://me:pa55@127.0.0.1:1/0', ('subscribe', 'x'), 'connection refused'),
        ('redis://me:pa55@no.such.invalid/0', ('dlq', 'list'), 'cannot connect'),
        ('redis://me:pa55@127.0.0.1:1/0', ('queues',), 'connection refused'),
    ],
)
def test_unreachable_broker_is_one_line(
    quick_shell: Any, url: str, command: tuple[str, ...], words: str
) -> None:
    quick_shell.write('.lymph.yml', f'container: {{events: {{class: kombu, urls: "{url}"}}}}\n')
    done = quick_shell.run(*command)
    expect_one_line(done, 1, words)
    assert 'pa55' not in done.stderr


def test_rejected_password_of_a_broker_is_one_line(quick_shell: Any, rabbitmq_server: Any) -> None:
    url = f'amqp://guest:pa55@{rabbitmq_server.address}//'
    quick_shell.write('.lymph.yml', f'container: {{events: {{class: kombu, urls: "{url}"}}}}\n')
    done = quick_shell.run('emit', 'x')
    expect_one_line(done, 1, "expected access for the user 'guest'")
    assert 'pa55' not in done.stderr


def test_reason_is_logged_on_request(quick_shell: Any) -> None:
    quick_shell.write('state/events/events.sqlite', 'no database ' * 100)
    done = quick_shell.run('emit', 'x', '--loglevel=debug')
    assert 'DatabaseError: file is not a database' in done.stderr


@pytest.mark.parametrize(
    ('command', 'exit_code'),
    [
        (('request', 'a/b.c'), 1),
        (('request', 'a\nb.c'), 2),
        (('request', '.c'), 2),
        (('request', '\udcff.c'), 2),
        (('inspect', '..'), 1),
        (('inspect', 'tcp://'), 1),
        (('inspect', 'tcp://[::1'), 1),
        (('discover', 'x' * 1000), 1),
        (('discover', '\udcff'), 1),
        (('inspect', 'tcp://\udcff:1'), 1),
        (('subscribe', 'a\udcff'), 2),
        (('change-loglevel', 'echo', '\udcff', 'DEBUG'), 2),
        (('dlq', 'list', '--trace', '\udcff'), 2),
        (('emit', 'a\x1b[2J'), 2),
    ],
)
def test_invalid_name_is_one_line(
    quick_shell: Any, command: tuple[str, ...], exit_code: int
) -> None:
    expect_one_line(quick_shell.run(*command), exit_code, 'expected')


def test_full_disk_behind_stdout_is_one_line(shell: Any) -> None:
    with open('/dev/full', 'wb') as full:
        done = shell.start('list', stdout=full.fileno())
        assert done.end() == 1
    assert done.stderr == 'lymph: cannot write to stdout: No space left on device\n'


BROKEN = """
import gevent
import lymph

class Broken(lymph.Interface):
    def on_start(self):
        gevent.spawn(lambda: {}['greenlet \\x1b[2J'])
        gevent.get_hub().threadpool.spawn(lambda: {}['thread'])
"""


def test_bug_in_a_greenlet_or_a_thread_is_logged(shell: Any) -> None:
    shell.write('broken.py', BROKEN)
    shell.write('broken.yml', 'interfaces: {broken: {class: "broken:Broken"}}\n')
    broken = shell.start('instance', '-c', 'broken.yml')
    broken.said("KeyError: 'greenlet \\x1b[2J'")
    broken.said("KeyError: 'thread'")
    broken.said('broken at tcp://')
    for line in broken.stderr.splitlines():
        assert line.startswith(('  ', 'broken at')) or ' ERROR ' in line


@pytest.mark.parametrize(
    ('command', 'exit_code', 'words'),
    [
        (('list',), 0, None),
        (('discover',), 0, 'no service is running'),
        (('instance', '-c', 'echo.yml'), 2, 'echo.yml: no such file'),
        (('instance', '-c', '{folder}/echo.yml'), 2, "no module 'echo_service'"),
        (('instance', '-c', '{folder}/broken.yml'), 2, 'importing'),
        (('node',), 2, 'expected .lymph.yml'),
    ],
)
def test_deleted_working_directory_causes_no_traceback(
    shell: Any, command: tuple[str, ...], exit_code: int, words: str | None
) -> None:
    shell.write('echo.yml', 'interfaces: {echo: {class: "echo_service:Echo"}}\n')
    shell.write('broken.yml', 'interfaces: {broken: {class: "broken:Broken"}}\n')
    shell.write('site/broken.py', '1 / 0\n')
    shell.environ['PYTHONPATH'] = str(shell.folder / 'site')
    arguments = [each.format(folder=shell.folder) for each in command]
    done = shell.run_in_deleted_folder(*arguments)
    assert done.exit_code == exit_code
    assert 'unexpected' not in done.stderr
    if words is not None:
        assert words in done.stderr.splitlines()[0]


@pytest.mark.parametrize(
    ('section', 'words'),
    [
        ('container: {rpc: {timeout: .inf}}', 'container.rpc.timeout: expected seconds'),
        ('container: {block_threshold: .inf}', 'container.block_threshold: expected seconds'),
        ('container: {events: {class: kombu, password: 12345}}', 'container.events.password: '),
        ('container: {registry: {zkclient: {timeot: 1}}}', "did you mean 'timeout'?"),
        ('container: {registry: {zkclient: "a.b:C"}}', 'a mapping such as {hosts:'),
        ('container: {registry: {zkclient: {}, chroot: /a/../b}}', 'registry.chroot: expected'),
        ('logging: {handelrs: {}}', "did you mean 'handlers'?"),
    ],
)
def test_invalid_value_is_one_line(quick_shell: Any, section: str, words: str) -> None:
    quick_shell.write('.lymph.yml', f'{section}\n')
    done = quick_shell.run('discover')
    expect_one_line(done, 2, words)
    assert done.stderr.startswith('lymph: .lymph.yml:1: ')


def test_unwritable_logfile_is_one_line(quick_shell: Any) -> None:
    done = quick_shell.run('--logfile=/nope/x', 'discover')
    expect_one_line(done, 2, "--logfile: cannot write to '/nope/x': No such file or directory")
