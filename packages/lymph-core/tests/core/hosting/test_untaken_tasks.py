"""An instance with tasks warns once if no worker consumes them."""

from __future__ import annotations

import logging

import pytest

import lymph
from lymph.exceptions import LymphError
from lymph.testing.waiting import eventually, let_pass


class Mailer(lymph.Interface):
    @lymph.task()
    def send(self, to):
        pass

    @lymph.task()
    def retract(self, to):
        pass

    @lymph.task(broadcast=True)
    def flush(self):
        pass


class Quiet(lymph.Interface):
    @lymph.task(broadcast=True)
    def flush(self):
        pass

    @lymph.event('done')
    def on_done(self, event):
        pass


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr('lymph.core._hosting.untaken_tasks._PATIENCE', 0.02)


@pytest.fixture
def warnings(caplog):
    def warnings():
        return [record for record in caplog.records if 'no worker' in record.getMessage()]

    caplog.set_level(logging.WARNING)
    return warnings


def looks(container, monkeypatch):
    """Count how often the queues of a container are checked."""
    seen = []
    really = container.events.queues.glance

    def glance(names):
        seen.append(tuple(names))
        return really(names)

    monkeypatch.setattr(container.events.queues, 'glance', glance)
    return seen


def test_tasks_without_a_worker_cause_one_warning(world, warnings, monkeypatch):
    container = world.container((Mailer, 'mailer'), start=False)
    seen = looks(container, monkeypatch)
    container.start()
    eventually(warnings)
    (record,) = warnings()
    assert 'tasks of mailer.retract, mailer.send;' in record.getMessage()
    assert '`lymph worker`' in record.getMessage()
    count = len(seen)
    let_pass(0.1, 'the time of several looks, after which nothing follows')
    assert (len(seen), len(warnings())) == (count, 1)


def test_worker_that_starts_a_moment_later_prevents_the_warning(world, warnings, monkeypatch):
    container = world.container((Mailer, 'mailer'), start=False)
    seen = looks(container, monkeypatch)
    container.start()
    eventually(lambda: len(seen) == 1)
    world.container((Mailer, 'mailer'), worker=True)
    eventually(lambda: len(seen) == 2)
    let_pass(0.1, 'the time of several looks, after which nothing follows')
    assert (len(seen), warnings()) == (2, [])


def test_tasks_with_a_worker_are_checked_once(world, warnings, monkeypatch):
    world.container((Mailer, 'mailer'), worker=True)
    container = world.container((Mailer, 'mailer'), start=False)
    seen = looks(container, monkeypatch)
    container.start()
    eventually(lambda: len(seen) == 1)
    let_pass(0.1, 'the time of several looks, after which nothing follows')
    assert (len(seen), warnings()) == (1, [])


def test_event_system_that_does_not_answer_causes_no_warning(world, warnings, monkeypatch):
    container = world.container((Mailer, 'mailer'), start=False)
    failures = []

    def glance(names):
        failures.append(names)
        raise LymphError('no answer')

    with monkeypatch.context() as away:
        away.setattr(container.events.queues, 'glance', glance)
        container.start()
        eventually(lambda: len(failures) > 3)
        assert warnings() == []
    eventually(warnings)


def test_workers_and_instances_without_tasks_check_nothing(world, warnings, monkeypatch):
    container = world.container((Quiet, 'quiet'), start=False)
    seen = looks(container, monkeypatch)
    container.start()
    world.container((Mailer, 'mailer'), worker=True)
    let_pass(0.1, 'the time of several looks, after which nothing follows')
    assert (seen, warnings()) == ([], [])
