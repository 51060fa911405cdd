from __future__ import annotations

import gevent
import pytest
from gevent.event import Event as Flag

from lymph.core import trace
from lymph.core._loop.hooks import Hook
from lymph.core.components import Component, Componentized
from lymph.core.greenlets import Pool
from lymph.core.monitoring.metrics import Aggregate, Gauge
from lymph.core.workers import Workers
from lymph.exceptions import LymphError
from lymph.testing.waiting import eventually


class Part(Component):
    """Records its starts and stops in a journal."""

    def __init__(self, name, journal, fails_at=None, error=RuntimeError):
        super().__init__()
        self.name = name
        self.journal = journal
        self.fails_at = fails_at
        self.error = error

    def on_start(self):
        self._note('start')

    def on_stop(self):
        self._note('stop')

    def _note(self, what):
        self.journal.append(f'{what} {self.name}')
        if self.fails_at == what:
            raise self.error(f'{self.name} does not {what}')


def tree(journal, *names, **fails_at):
    root = Componentized()
    for name in names:
        root.add_component(Part(name, journal, fails_at.get(name)))
    return root


@pytest.mark.parametrize('attribute', ['error_hook', 'pool', 'metrics', 'workers'])
def test_component_uses_the_parts_of_its_parent_by_default(attribute):
    root, middle, leaf = Componentized(), Componentized(), Component()
    root.add_component(middle)
    middle.add_component(leaf)
    assert getattr(leaf, attribute) is getattr(root, attribute)
    assert getattr(middle, attribute) is getattr(root, attribute)


@pytest.mark.parametrize(
    ('attribute', 'make'),
    [('error_hook', Hook), ('pool', Pool), ('metrics', Aggregate), ('workers', Workers)],
)
def test_component_keeps_the_parts_it_is_given(attribute, make):
    given = make()
    root, leaf = Componentized(), Component(**{attribute: given})
    root.add_component(leaf)
    assert getattr(leaf, attribute) is given
    assert getattr(root, attribute) is not given


def test_components_start_in_order_and_stop_in_reverse():
    journal = []
    root = tree(journal, 'a', 'b', 'c')
    root.on_start()
    root.on_stop()
    assert journal == ['start a', 'start b', 'start c', 'stop c', 'stop b', 'stop a']


def test_components_stop_once():
    journal = []
    root = tree(journal, 'a')
    root.on_start()
    root.on_stop()
    root.on_stop()
    assert journal == ['start a', 'stop a']


def test_component_trees_can_be_nested():
    journal = []
    root, inner = tree(journal, 'a'), tree(journal, 'b', 'c')
    root.add_component(inner)
    root.add_component(Part('d', journal))
    root.on_start()
    root.on_stop()
    assert journal == [
        f'{what} {n}' for what, names in (('start', 'abcd'), ('stop', 'dcba')) for n in names
    ]


def test_component_that_was_never_started_is_not_stopped():
    journal = []
    tree(journal, 'a').on_stop()
    assert journal == []


def test_failure_during_start_stops_what_was_started():
    journal = []
    root = tree(journal, 'a', 'b', 'c', b='start')
    with pytest.raises(RuntimeError, match='b does not start'):
        root.on_start()
    assert journal == ['start a', 'start b', 'stop b', 'stop a']


def test_kill_during_start_stops_what_was_started():
    journal = []
    root = tree(journal, 'a')
    root.add_component(Part('b', journal, 'start', gevent.GreenletExit))
    with pytest.raises(gevent.GreenletExit):
        root.on_start()
    assert journal == ['start a', 'start b', 'stop b', 'stop a']


def test_error_in_on_stop_is_reported_and_the_rest_are_stopped(caplog):
    journal, errors = [], []
    root = tree(journal, 'a', 'b', 'c', b='stop')
    root.error_hook.install(lambda error, **details: errors.append((str(error), details)))
    root.on_start()
    root.on_stop()
    assert journal[3:] == ['stop c', 'stop b', 'stop a']
    ((text, details),) = errors
    assert text == 'b does not stop'
    assert details['component'].name == 'b'
    assert 'could not be stopped' in caplog.text


def test_a_component_added_while_others_start_starts_with_them():
    journal = []
    root = Componentized()

    class Adds(Part):
        def on_start(self):
            super().on_start()
            root.add_component(Part('late', self.journal))

    root.add_component(Adds('first', journal))
    root.on_start()
    root.on_stop()
    assert journal == ['start first', 'start late', 'stop late', 'stop first']


def test_a_spawned_greenlet_runs_in_the_pool_with_its_makers_context():
    component = Component()
    trace.set_id('mine')
    greenlet = component.spawn(lambda text, more: (text, more, trace.get_id()), 'a', more='b')
    assert greenlet in component.pool
    assert greenlet.get(timeout=5) == ('a', 'b', 'mine')
    assert component.pool.join(timeout=5)


def test_the_error_of_a_spawned_greenlet_goes_to_the_error_hook(caplog):
    root, component, errors = Componentized(), Component(), []
    root.add_component(component)
    root.error_hook.install(lambda error, **details: errors.append((error, details)))

    def fails():
        raise RuntimeError('no good')

    assert component.spawn(fails).get(timeout=5) is None
    ((error, details),) = errors
    assert str(error) == 'no good'
    facts = {'component': component, 'function': fails, 'trace_id': trace.get_id()}
    assert details == facts
    assert 'RuntimeError: no good' in caplog.text


def test_greenlet_killed_with_its_pool_reports_no_error():
    component, errors = Component(), []
    component.error_hook.install(lambda error, **details: errors.append(error))
    greenlet = component.spawn(gevent.sleep, 60)
    gevent.sleep(0)
    component.pool.kill(timeout=5)
    assert greenlet.dead
    assert errors == []


def test_metrics_added_before_the_start_are_those_of_the_tree():
    root, component = Componentized(), Component()
    root.add_component(component)
    component.metrics.add(Gauge('a', 1))
    assert list(root.metrics) == [('a', 1, {})]


def test_components_drain_within_one_timeout_and_count_what_was_cut(caplog):
    class Drains(Part):
        def on_drain(self, timeout):
            self.journal.append(timeout)
            self._note('drain')
            return 2

    journal, errors = [], []
    root, inner = Componentized(), Componentized()
    for parent, name in ((root, 'a'), (root, 'b'), (inner, 'c')):
        parent.add_component(Drains(name, journal, 'drain' if name == 'b' else None))
    root.add_component(inner)
    root.add_component(Component())
    root.error_hook.install(lambda error, **details: errors.append(str(error)))
    assert root.on_drain(5) == 0  # nothing was started yet
    root.on_start()
    assert root.on_drain(5) == 4
    timeouts = [entry for entry in journal if isinstance(entry, float)]
    assert len(timeouts) == 3
    assert 5 >= timeouts[0] >= timeouts[1] >= timeouts[2] > 0
    assert errors == ['b does not drain']
    assert 'could not be drained' in caplog.text


# Components that are added while others run.


def test_component_added_to_a_running_tree_starts_at_once_and_stops_with_it():
    journal = []
    root = tree(journal, 'a')
    root.on_start()
    root.add_component(Part('b', journal))
    assert journal == ['start a', 'start b']
    root.on_stop()
    assert journal == ['start a', 'start b', 'stop b', 'stop a']


def test_tree_without_components_can_run():
    journal, root = [], Componentized()
    root.on_start()
    root.add_component(tree(journal, 'a', 'b'))
    assert journal == ['start a', 'start b']


@pytest.mark.parametrize('error', [RuntimeError, SystemExit, gevent.GreenletExit])
def test_component_that_fails_to_start_leaves_nothing_behind(error):
    journal = []
    root = tree(journal, 'a')
    root.on_start()
    failing = Part('b', journal, 'start', error)
    with pytest.raises(error, match='b does not start'):
        root.add_component(failing)
    assert journal == ['start a', 'start b', 'stop b']
    assert [part.name for part in root.components] == ['a']
    assert failing.parent is None
    root.on_stop()
    assert journal[3:] == ['stop a']


def test_a_component_may_add_others_while_it_starts():
    journal, root = [], Componentized()

    class Adding(Part):
        def on_start(self):
            root.add_component(Part('inner', journal))
            super().on_start()

    for part in (Adding('outer', journal), Part('next', journal)):
        root.add_component(part)
    root.on_start()
    assert journal == ['start inner', 'start outer', 'start next']


def test_component_stopped_while_it_starts_is_not_added(spawn):
    journal, gate = [], Flag()
    root = tree(journal, 'a')
    root.on_start()

    class Slow(Part):
        def on_start(self):
            self._note('start')
            gate.wait(10)

    adding = spawn(root.add_component, Slow('slow', journal))
    eventually(lambda: journal[-1] == 'start slow')
    root.on_stop()
    gate.set()
    with pytest.raises(LymphError, match='was stopped while a component was added'):
        adding.get(timeout=5)
    assert journal[-1] == 'stop slow'
    assert len(root.components) == 1


def test_stopped_tree_starts_no_component_until_it_is_restarted():
    journal = []
    root = tree(journal)
    root.on_start()
    root.on_stop()
    root.add_component(Part('a', journal))
    assert journal == []
    root.on_start()
    assert journal == ['start a']


def test_component_cannot_be_added_twice():
    journal = []
    root, part = Componentized(), Part('a', journal)
    root.add_component(part)
    with pytest.raises(ValueError, match='was added before'):
        root.add_component(part)
    assert root.components == [part]
