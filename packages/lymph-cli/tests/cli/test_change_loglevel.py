"""`lymph change-loglevel`: running instances log more, or less."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0

TALK = """
import logging
import lymph

logger = logging.getLogger('talk.small')

class Talk(lymph.Interface):
    @lymph.rpc()
    def say(self, text):
        logger.debug('small talk: %s', text)
"""


@pytest.fixture
def instances(shell: Any) -> list[Any]:
    """Two instances of the service `talk`."""
    shell.write('talk_service.py', TALK)
    shell.write('talk.yml', 'interfaces: {talk: {class: "talk_service:Talk"}}\n')
    running = [shell.start('instance', '--config=talk.yml') for _ in range(2)]
    for each in running:
        each.said('talk at tcp://')
    return running


def endpoint_of(instance: Any) -> str:
    return re.search(r'tcp://\S+', instance.stderr)[0]


def test_loglevel_of_all_instances_of_a_service_is_changed(
    shell: Any, instances: list[Any]
) -> None:
    for each in instances:
        shell.run('request', 'talk.say', 'text=before', '-a', endpoint_of(each))
    done = shell.run('change-loglevel', 'talk', 'talk', 'debug')
    assert done.exit_code == 0
    lines = sorted(f'{endpoint_of(each)}  talk DEBUG' for each in instances)
    assert done.stdout.splitlines() == lines
    for each in instances:
        shell.run('request', 'talk.say', 'text=after', '-a', endpoint_of(each))
        each.said('small talk: after')
        assert 'before' not in each.stderr


def test_loglevel_of_one_instance_is_changed_by_its_endpoint(
    shell: Any, instances: list[Any]
) -> None:
    told, other = instances
    done = shell.run('change-loglevel', endpoint_of(told), 'root', 'DEBUG', '--json')
    assert json.loads(done.stdout) == [{'endpoint': endpoint_of(told), 'error': None}]
    for each in instances:
        shell.run('request', 'talk.say', 'text=x', '-a', endpoint_of(each))
    told.said('small talk: x')
    assert 'small talk' not in other.stderr


def test_level_is_restored_after_the_period(shell: Any, instances: list[Any]) -> None:
    one = instances[0]
    shell.run('change-loglevel', endpoint_of(one), 'talk', 'debug', '--period=1')

    def says_nothing() -> bool:
        said = one.stderr.count('small talk')
        shell.run('request', 'talk.say', 'text=x', '-a', endpoint_of(one))
        return one.stderr.count('small talk') == said

    eventually(says_nothing, PATIENCE)


def test_service_without_instances_is_a_failure(shell: Any) -> None:
    done = shell.run('change-loglevel', 'nobody', 'root', 'DEBUG')
    assert (done.exit_code, done.stdout) == (1, '')
    assert "'nobody'" in done.stderr


def test_instance_that_does_not_answer_is_a_failure(shell: Any) -> None:
    done = shell.run('change-loglevel', 'tcp://127.0.0.1:1', 'root', 'DEBUG')
    assert (done.exit_code, done.stdout) == (1, '')
    [line] = done.stderr.splitlines()
    assert '127.0.0.1:1' in line


def test_logger_that_does_not_exist_is_a_failure(shell: Any, instances: list[Any]) -> None:
    done = shell.run('change-loglevel', endpoint_of(instances[0]), 'nobody', 'DEBUG')
    assert (done.exit_code, done.stdout) == (1, '')
    [line] = done.stderr.splitlines()
    assert "no logger 'nobody'" in line


def test_more_than_an_hour_is_wrong_usage(shell: Any) -> None:
    done = shell.run('change-loglevel', 'talk', 'root', 'DEBUG', '--period=3601')
    assert done.exit_code == 2
    assert '3600' in done.stderr


def test_invalid_level_is_wrong_usage(shell: Any) -> None:
    done = shell.run('change-loglevel', 'talk', 'root', 'LOUD')
    assert done.exit_code == 2
    assert 'LOUD' in done.stderr
