"""`lymph worker`: which interfaces it runs, how it is registered, and how it stops."""

from __future__ import annotations

import json
import re
import signal
import socket
from typing import Any

import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0

MAIL = """
import time
import lymph

class Mail(lymph.Interface):
    @lymph.rpc()
    def order(self, to, seconds=0):
        self.send.apply(to=to, seconds=seconds)

    @lymph.rpc()
    def announce(self, text):
        self.hear.apply(text=text)

    @lymph.rpc()
    def send_now(self, to):
        self.send(to)

    @lymph.task()
    def send(self, to, seconds=0):
        print(f'{self.name} sends to {to}')
        time.sleep(seconds)
        print(f'{self.name} has sent to {to}')

    @lymph.task(broadcast=True)
    def hear(self, text):
        print(f'{self.name} hears {text}')


class Plain(lymph.Interface):
    def on_start(self):
        print('plain runs')
"""


@pytest.fixture
def mail(shell: Any) -> Any:
    """An instance of `mail`, `post` (the same class) and `plain`, which has no tasks."""
    shell.write('mail_service.py', MAIL)
    shell.write(
        'mail.yml',
        'interfaces:\n'
        '  mail: {class: "mail_service:Mail"}\n'
        '  post: {class: "mail_service:Mail"}\n'
        '  plain: {class: "mail_service:Plain"}\n',
    )
    running = shell.start('instance', '--config=mail.yml')
    running.said('mail, plain, post at tcp://')
    return running


def start_worker(shell: Any, *arguments: str) -> Any:
    worker = shell.start('worker', '--config=mail.yml', *arguments)
    worker.said('mail.worker, post.worker at tcp://')
    return worker


def test_tasks_that_are_queued_before_any_worker_runs_are_run_by_the_first(
    shell: Any, mail: Any
) -> None:
    assert shell.run('request', 'mail.order', 'to=early').exit_code == 0
    worker = start_worker(shell)
    worker.said('mail has sent to early')
    assert 'early' not in mail.stdout


def test_class_hosted_under_two_names_has_separate_tasks(shell: Any, mail: Any) -> None:
    shell.run('request', 'post.order', 'to=b')
    worker = start_worker(shell)
    worker.said('post has sent to b')
    assert 'mail sends' not in worker.stdout


def test_called_task_runs_in_the_process_of_its_caller(shell: Any, mail: Any) -> None:
    assert shell.run('request', 'mail.send_now', 'to=c').exit_code == 0
    assert 'mail has sent to c' in mail.stdout


def test_a_broadcast_task_is_run_by_every_worker(shell: Any, mail: Any) -> None:
    workers = [start_worker(shell), start_worker(shell)]
    shell.run('request', 'mail.announce', 'text=hello')
    for worker in workers:
        worker.said('mail hears hello')
    assert 'hears' not in mail.stdout


def test_worker_is_registered_under_its_own_names(shell: Any, mail: Any) -> None:
    worker = start_worker(shell)
    found = json.loads(shell.run('discover', '--json').stdout)
    assert {name: [each['pid'] for each in members] for name, members in found.items()} == {
        'mail': [mail.pid],
        'post': [mail.pid],
        'plain': [mail.pid],
        'mail.worker': [worker.pid],
        'post.worker': [worker.pid],
    }


def test_interfaces_without_tasks_do_not_run_in_a_worker(shell: Any, mail: Any) -> None:
    worker = start_worker(shell)
    shell.run('request', 'mail.order', 'to=d')
    worker.said('mail has sent to d')
    assert 'plain runs' in mail.stdout
    assert 'plain runs' not in worker.stdout


def test_a_worker_answers_the_built_in_calls_and_no_others(shell: Any, mail: Any) -> None:
    endpoint = re.search(r'tcp://\S+', start_worker(shell).stderr)[0]
    asked = shell.run('request', 'lymph.ping', 'payload=x', '--address=mail.worker')
    assert asked.stdout == "'x'\n"
    status = json.loads(shell.run('request', 'lymph.status', '-a', endpoint, '--json').stdout)
    assert [each['name'] for each in status['interfaces']] == ['mail', 'post']
    done = shell.run('request', 'mail.order', 'to=e', '--address=mail.worker')
    assert done.exit_code == 1
    assert "no interface 'mail'" in done.stderr


def test_running_task_is_finished_before_the_end(shell: Any, mail: Any) -> None:
    worker = start_worker(shell)
    shell.run('request', 'mail.order', 'to=f', 'seconds:=1.5')
    worker.said('mail sends to f')
    worker.signal(signal.SIGTERM)
    assert worker.end() == 0
    assert 'mail has sent to f' in worker.stdout
    eventually(lambda: 'mail.worker' not in shell.run('discover').stdout, PATIENCE)


def test_interrupted_task_is_given_to_another_worker(shell: Any, mail: Any) -> None:
    worker = start_worker(shell)
    shell.run('request', 'mail.order', 'to=g', 'seconds:=2')
    worker.said('mail sends to g')
    worker.signal(signal.SIGTERM)
    worker.said('the next signal stops at once')
    worker.signal(signal.SIGTERM)
    assert worker.end() == 1
    start_worker(shell).said('mail has sent to g')
    assert 'has sent to g' not in worker.stdout


def test_killed_worker_loses_no_task(shell: Any, mail: Any) -> None:
    worker = start_worker(shell)
    shell.run('request', 'mail.order', 'to=h', 'seconds:=2')
    worker.said('mail sends to h')
    worker.signal(signal.SIGKILL)
    worker.end()
    start_worker(shell).said('mail has sent to h')


def test_a_configuration_without_tasks_is_one_line_with_its_place(shell: Any) -> None:
    shell.write('mail_service.py', MAIL)
    shell.write('plain.yml', 'interfaces: {plain: {class: "mail_service:Plain"}}\n')
    done = shell.run('worker', '-c', 'plain.yml')
    assert (done.exit_code, done.stdout) == (2, '')
    [line] = done.stderr.splitlines()
    assert line.startswith('lymph: plain.yml')
    assert 'expected an interface with tasks' in line
    assert 'plain' in line


def test_a_worker_of_an_http_interface_serves_no_http(shell: Any) -> None:
    shell.write('site_service.py', SITE)
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        shell.write(
            'site.yml', f'interfaces: {{site: {{class: "site_service:Site", port: {port}}}}}'
        )
        worker = shell.start('worker', '-c', 'site.yml')
        worker.said('site.worker at tcp://')
    [facts] = json.loads(shell.run('discover', '--json').stdout)['site.worker']
    assert facts.get('http_port') is None


SITE = """
import lymph
from lymph.web.interfaces import WebServiceInterface

class Site(WebServiceInterface):
    @lymph.task()
    def build(self):
        pass
"""
