"""The client commands, over the embedded backends."""

from __future__ import annotations

import json
import os
import re
import signal
from typing import Any

import pytest


@pytest.fixture
def echo(shell: Any) -> Any:
    return shell.start_echo()


# discover


def test_services_are_discovered_with_their_instances(shell: Any, echo: Any) -> None:
    assert re.search(r'^echo +1 +1 +\d+s$', shell.run('discover').stdout, re.M)
    listed = shell.run('discover', '--instances').stdout
    assert re.search(r'^echo +[0-9a-f]{16} +- +tcp://127\.0\.0\.1:\d+ +- +ok ', listed, re.M)
    [facts] = json.loads(shell.run('discover', 'echo', '--json').stdout)['echo']
    assert facts['pid'] == echo.pid
    assert facts['endpoint'] in echo.stderr


def test_empty_registry_is_not_a_failure(shell: Any) -> None:
    done = shell.run('discover')
    assert (done.exit_code, done.stdout) == (0, '')
    assert 'no service is running' in done.stderr
    assert json.loads(shell.run('discover', '--json').stdout) == {}


def test_requested_service_without_instances_is_a_failure(shell: Any, echo: Any) -> None:
    done = shell.run('discover', 'echo', 'nobody')
    assert (done.exit_code, done.stdout) == (1, '')
    assert "'nobody'" in done.stderr


# inspect


def test_methods_are_shown_with_signature_and_documentation(shell: Any, echo: Any) -> None:
    shown = shell.run('inspect', 'echo').stdout
    assert 'echo.upper(text=None)\n    Return the text in capital letters.\n' in shown
    assert 'echo.give_back(value)' in shown
    assert 'lymph.ping' not in shown
    assert 'lymph.ping' in shell.run('inspect', 'echo', '--all').stdout


def test_endpoint_can_be_inspected_like_a_service(shell: Any, echo: Any) -> None:
    endpoint = re.search(r'tcp://\S+', echo.stderr)[0]
    by_endpoint = json.loads(shell.run('inspect', endpoint, '--json').stdout)
    assert by_endpoint == json.loads(shell.run('inspect', 'echo', '--json').stdout)
    [upper] = [each for each in by_endpoint['methods'] if each['name'] == 'echo.upper']
    assert upper['params'] == ['text=None']
    assert upper['help'] == 'Return the text in capital letters.'


# versions

VERSIONS = """interfaces:
  echo@1.5.0: {class: 'versions:Old'}
  echo@2.0.0: {class: 'versions:New'}
"""
CLASSES = """import lymph

class Old(lymph.Interface):
    @lymph.rpc()
    def old(self):
        return 'old'

class New(lymph.Interface):
    @lymph.rpc()
    def new(self):
        return 'new'
"""


@pytest.fixture
def versions(shell: Any) -> Any:
    shell.write('versions.py', CLASSES)
    shell.write('versions.yml', VERSIONS)
    shell.start('instance', '--config=versions.yml').said('echo@1.5.0, echo@2.0.0 at tcp://')
    return shell


def test_service_can_be_inspected_and_discovered_by_version(versions: Any) -> None:
    for wanted, name, version in (('1.2', 'old', '1.5.0'), ('2', 'new', '2.0.0')):
        shown = versions.run('inspect', f'echo@{wanted}').stdout
        assert shown.split() == [f'echo.{name}@{version}()']
        found = json.loads(versions.run('discover', f'echo@{wanted}', '--json').stdout)
        assert [each['version'] for each in found[f'echo@{wanted}']] == [version]
    _, *rows = versions.run('discover', 'echo', 'echo@2').stdout.splitlines()
    assert [row.split()[:2] for row in rows] == [['echo', '2'], ['echo@2', '1']]


@pytest.mark.parametrize('command', ['inspect', 'discover'])
def test_version_without_instances_is_a_failure(versions: Any, command: str) -> None:
    done = versions.run(command, 'echo@3')
    assert (done.exit_code, done.stdout) == (1, '')
    assert 'no instance of echo serves 3.0.0 (versions: 1.5.0, 2.0.0)' in done.stderr
    wrong = versions.run(command, 'echo@x')
    assert (wrong.exit_code, wrong.stdout) == (2, '')
    assert "expected a version like 1.2 or 1.2.3, found 'x'" in wrong.stderr


# emit and subscribe


def test_emitted_events_are_seen_by_subscribers(shell: Any) -> None:
    everything = shell.start('subscribe', '#', '--count=3', '--json')
    some = shell.start('subscribe', 'task.*', 'b', '--count=2')
    everything.said('subscribed to #')
    some.said('subscribed to task.*, b')
    for arguments in (
        ['task.done', '{"n": 1}', '--trace-id=t-1'],
        ['other', 'n:=2'],
        ['b', 'text=three'],
    ):
        done = shell.run('emit', *arguments)
        assert (done.exit_code, done.stdout, done.stderr) == (0, '', '')
    assert everything.end() == 0
    assert some.end() == 0
    assert some.stdout == "task.done: {'n': 1}\nb: {'text': 'three'}\n"
    events = [json.loads(line) for line in everything.stdout.splitlines()]
    assert [(each['type'], each['body']) for each in events] == [
        ('task.done', {'n': 1}),
        ('other', {'n': 2}),
        ('b', {'text': 'three'}),
    ]
    assert events[0]['headers']['trace_id'] == 't-1'


def test_an_event_can_be_delayed(shell: Any) -> None:
    subscribed = shell.start('subscribe', '#', '--count=2')
    subscribed.said('subscribed')
    for arguments in (['much.later', '--delay=3600'], ['later', '--delay=0.5'], ['now']):
        assert shell.run('emit', *arguments).exit_code == 0
    assert subscribed.end() == 0
    assert sorted(subscribed.stdout.splitlines()) == ['later: {}', 'now: {}']


def test_timeout_without_an_event_is_a_failure(shell: Any) -> None:
    done = shell.run('subscribe', 'never', '--timeout=0.1')
    assert (done.exit_code, done.stdout) == (1, '')
    assert 'no event within 0.1 s' in done.stderr


@pytest.mark.parametrize('arguments', [['emit', 'a.*'], ['subscribe', 'a..b']])
def test_invalid_event_type_is_wrong_usage(shell: Any, arguments: list[str]) -> None:
    done = shell.run(*arguments)
    assert done.exit_code == 2
    assert len(done.stderr.splitlines()) == 1


def test_an_interruption_is_quiet(shell: Any) -> None:
    subscribed = shell.start('subscribe', 'x')
    subscribed.said('subscribed')
    said = subscribed.stderr
    subscribed.signal(signal.SIGINT)
    assert subscribed.end() == 130
    assert subscribed.stderr == said


def test_closed_pipe_causes_no_message(shell: Any) -> None:
    reading, writing = os.pipe()
    subscribed = shell.start('subscribe', 'x', stdout=writing)
    os.close(writing)
    subscribed.said('subscribed')
    said = subscribed.stderr
    os.close(reading)
    shell.run('emit', 'x')
    assert subscribed.end() == 141
    assert subscribed.stderr == said
