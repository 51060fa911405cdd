from __future__ import annotations

import gc
import weakref
from contextvars import ContextVar

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

from lymph.core._work.shield import Shield
from lymph.core.failures import Killed
from lymph.core.greenlets import Greenlet
from lymph.core.workers import Workers
from lymph.testing.contracts._events.outcomes import RAISED
from lymph.testing.waiting import eventually

colour = ContextVar('colour', default='none')


@pytest.fixture(params=[1, 2, None], ids='size={}'.format)
def any_workers(request):
    workers = Workers(request.param)
    yield workers
    workers.kill()
    assert workers.running == 0


@pytest.fixture
def make():
    made = []

    def make(size=None):
        made.append(Workers(size))
        return made[-1]

    yield make
    for workers in made:
        workers.kill()
        assert workers.running == 0


def in_hub(func, *args):
    """Call `func` in the hub and return what it returns."""
    done = Queue()
    gevent.get_hub().loop.run_callback(lambda: done.put(func(*args)))
    return done.get(timeout=5)


def tasks_so_far():
    """Count the task that calls this among those of its greenlet."""
    here = gevent.getcurrent()
    here.tasks = getattr(here, 'tasks', 0) + 1
    return here.tasks


def test_a_task_runs_with_its_arguments(any_workers):
    done = Queue()
    assert any_workers.try_start(done.put, 'from a greenlet')
    assert done.get(timeout=5) == 'from a greenlet'
    assert any_workers.join(5)
    assert in_hub(any_workers.try_start, done.put, 'from the hub')
    assert done.get(timeout=5) == 'from the hub'


def test_a_task_started_from_the_hub_runs_at_once():
    workers, order = Workers(), []

    def start():
        workers.try_start(order.append, 'task')
        order.append('after')
        return True

    assert in_hub(start)
    assert order == ['task', 'after']


def test_a_task_started_from_a_greenlet_leaves_it_running(make):
    order = []
    workers = make()
    workers.start(order.append, 'task')
    order.append('after')
    assert workers.join(5)
    assert order == ['after', 'task']


def test_a_task_may_start_another(make):
    workers, done = make(), Queue()
    workers.start(workers.start, done.put, 'inner')
    assert done.get(timeout=5) == 'inner'


def test_every_task_has_a_context_of_its_own(make):
    workers, seen = make(1), []

    def task():
        seen.append(colour.get())
        colour.set('dirty')
        gevent.sleep(0)
        seen.append(colour.get())

    colour.set('of the starter')
    for _ in range(2):
        workers.start(task)
        assert workers.join(5)
    assert seen == ['none', 'dirty'] * 2


def test_greenlets_are_reused(make):
    workers, numbers = make(), []
    for _ in range(10):
        workers.start(lambda: numbers.append(tasks_so_far()))
        assert workers.join(5)
    assert numbers == list(range(1, 11))


def wait(started):
    gevent.sleep(0.001)
    started.put(None)


def give_up_in_time(started):
    with gevent.Timeout(5):
        wait(started)


def fail(started):
    started.put(None)
    raise ValueError


@pytest.mark.parametrize('task', [wait, give_up_in_time, fail])
@pytest.mark.parametrize('starter', [in_hub, lambda start, *args: start(*args)])
def test_greenlet_that_is_not_referenced_is_reused(make, starter, task):
    workers, started, numbers = make(), Queue(), []
    for _ in range(3):
        starter(workers.start, task, started)
        assert workers.join(5)
        starter(workers.start, lambda: numbers.append(tasks_so_far()))
        assert workers.join(5)
    assert numbers == [1, 2, 3]


@pytest.mark.parametrize('starter', [in_hub, lambda start, *args: start(*args)])
def test_timeout_that_a_task_never_cancelled_hits_no_later_task(make, starter):
    workers, done = make(), Queue()
    forgotten = gevent.Timeout(0.05)

    def forgetful():
        forgotten.start()
        done.put('first')

    def later():
        gevent.sleep(0.01)
        eventually(lambda: not forgotten.pending)
        done.put('second')

    starter(workers.start, forgetful)
    assert done.get(timeout=5) == 'first'
    assert workers.join(5)
    starter(workers.start, later)
    assert done.get(timeout=5) == 'second'


def test_exception_thrown_through_a_kept_greenlet_hits_no_later_task(make):
    workers, kept, done = make(), [], Queue()
    workers.start(lambda: kept.append(gevent.getcurrent()))
    assert workers.join(5)

    def later():
        kept[0].kill()
        done.put('second')

    workers.start(later)
    assert done.get(timeout=5) == 'second'
    eventually(lambda: kept[0].dead)


def test_task_that_fails_is_logged_and_affects_no_other(any_workers, caplog):
    done = Queue()

    def fails():
        raise RuntimeError('no good')

    any_workers.start(fails)
    any_workers.start(done.put, 'next')
    assert done.get(timeout=5) == 'next'
    assert 'RuntimeError: no good' in caplog.text


def test_a_timeout_that_escapes_from_a_task_is_logged_too(any_workers, caplog):
    done = Queue()

    def late():
        with gevent.Timeout(0.001):
            gevent.sleep(60)

    any_workers.start(late)
    assert any_workers.join(5)
    any_workers.start(done.put, 'next')
    assert done.get(timeout=5) == 'next'
    assert 'gevent.timeout.Timeout' in caplog.text


def test_at_most_size_tasks_run_at_once(make):
    workers, gate = make(3), Event()
    running, most = 0, 0

    def task():
        nonlocal running, most
        running += 1
        most = max(most, running)
        gate.wait(5)
        running -= 1

    starters = [gevent.spawn(workers.start, task) for _ in range(20)]
    eventually(lambda: running == 3)
    assert workers.running == 3
    assert workers.free == 0
    assert not workers.try_start(task)
    gate.set()
    gevent.joinall(starters, timeout=5, raise_error=True)
    assert workers.join(5)
    assert most == 3
    assert workers.free == 3


def test_tasks_that_are_refused_do_not_run(make):
    workers, gate, ran = make(1), Event(), []
    workers.start(gate.wait, 5)
    assert not workers.try_start(ran.append, 'refused')
    assert not in_hub(workers.try_start, ran.append, 'refused')
    gate.set()
    assert workers.join(5)
    assert ran == []


def test_all_tasks_run_without_a_limit(make):
    workers, gate = make(), Event()
    for _ in range(1000):
        assert workers.try_start(gate.wait, 5)
    assert workers.running == 1000
    assert workers.free == float('inf')
    gate.set()
    assert workers.join(5)


def test_waiting_for_a_free_place_ends_when_there_is_one(make):
    workers, gate = make(1), Event()
    assert workers.wait_free(0)
    workers.start(gate.wait, 5)
    assert not workers.wait_free(0.001)
    waiting = gevent.spawn(workers.wait_free, 5)
    gate.set()
    assert waiting.get(timeout=5) is True


def test_joining_gives_up_after_its_timeout(make):
    workers, gate = make(), Event()
    assert workers.join(0)
    workers.start(gate.wait, 5)
    assert not workers.join(0.001)
    gate.set()
    assert workers.join(5)


def test_kill_ends_running_tasks_and_returns_their_number(make):
    workers, begun, cut = make(), [], []

    def task():
        begun.append(True)
        try:
            gevent.sleep(60)
        finally:
            cut.append(True)

    for _ in range(3):
        workers.start(task)
    workers.start(int)  # this one is over by then
    eventually(lambda: len(begun) == 3 and workers.running == 3)
    assert workers.kill() == 3
    assert cut == [True] * 3
    assert workers.running == 0
    assert workers.join(0)
    assert workers.kill() == 0


def test_tasks_are_counted_once_whoever_ends_them_and_whether_it_is_interrupted(make):
    workers, closing = make(), Event()

    def close():
        with Shield():
            closing.wait(5)

    workers.start(close)
    gevent.sleep(0)
    first = Greenlet(workers.kill, 5)
    first.start()
    eventually(lambda: workers.cut == 1)
    first.kill(timeout=5)
    assert first.dead
    gevent.spawn(closing.set)
    assert workers.kill(5) == 0
    assert workers.cut == 1


def test_task_that_has_not_begun_is_killed_too(make):
    workers, ran = make(), []
    workers.start(ran.append, 'never')
    assert workers.kill() == 1
    gevent.sleep(0)
    assert ran == []
    assert workers.running == 0
    assert workers.join(0)


def test_reused_greenlet_that_has_not_begun_is_killed_too(make):
    workers, ran = make(), []
    workers.start(int)
    assert workers.join(5)
    workers.start(ran.append, 'never')
    assert workers.kill() == 1
    gevent.sleep(0)
    assert ran == []
    assert workers.running == 0


def test_task_may_kill_all_workers_and_continue(make):
    workers, done = make(), Queue()
    workers.start(gevent.sleep, 60)

    def last():
        done.put(workers.kill())
        gevent.sleep(0)
        done.put('went on')

    workers.start(last)
    assert done.get(timeout=5) == 1
    assert done.get(timeout=5) == 'went on'
    eventually(lambda: workers.running == 0)


def test_task_that_does_not_end_delays_no_other(make):
    workers, gate, begun, stubborn = make(), Event(), Event(), Event()

    def task():
        begun.set()
        try:
            gevent.sleep(60)
        finally:
            stubborn.set()
            gate.wait(5)

    workers.start(task)
    assert begun.wait(5)
    assert workers.kill(timeout=0.01) == 1
    assert stubborn.is_set()
    assert workers.running == 1
    gate.set()
    eventually(lambda: workers.running == 0)


def test_nothing_starts_after_kill(make):
    workers = make(1)
    workers.kill()
    assert not workers.try_start(int)
    with pytest.raises(gevent.GreenletExit):
        workers.start(int)


def test_kill_ends_a_waiting_start(make):
    workers, ran = make(1), []
    workers.start(gevent.sleep, 60)
    waiting = gevent.spawn(workers.start, ran.append, 'never')
    gevent.sleep(0)
    workers.kill()
    assert isinstance(waiting.get(timeout=5), gevent.GreenletExit)
    assert ran == []


def test_killed_task_frees_its_place(make):
    workers, running = make(1), Queue()

    def task():
        running.put(gevent.getcurrent())
        gevent.sleep(60)

    workers.start(task)
    running.get(timeout=5).kill()
    assert workers.running == 0
    done = Queue()
    workers.start(done.put, 'next')
    assert done.get(timeout=5) == 'next'


def test_idle_greenlet_keeps_no_reference_to_its_last_task(make):
    class Argument:
        pass

    workers, argument = make(), Argument()
    gone = weakref.ref(argument)
    workers.start(lambda _: None, argument)
    assert workers.join(5)
    del argument
    gc.collect()
    assert gone() is None


def test_size_below_one_is_rejected():
    with pytest.raises(ValueError, match='expected a pool size of at least 1, found 0'):
        Workers(0)


@pytest.mark.parametrize('n', range(len(RAISED)))
def test_greenlet_is_reusable_whatever_its_task_raises(n, caplog):
    workers, done = Workers(1), Queue()

    def task():
        done.put(tasks_so_far())
        raise RAISED[n]()

    assert in_hub(workers.try_start, task)
    assert done.get(timeout=5) == 1
    assert workers.join(5)
    assert in_hub(workers.try_start, lambda: done.put(tasks_so_far()))
    assert done.get(timeout=5) == 2
    assert workers.join(5)
    assert workers.running == 0
    assert 'a task failed' in caplog.text
    workers.kill()


@pytest.mark.parametrize('late', [gevent.GreenletExit, gevent.Timeout, SystemExit, Killed])
def test_exception_thrown_into_an_idle_greenlet_affects_no_task(late, make):
    workers, done = make(1), Queue()
    workers.start(lambda: done.put(gevent.getcurrent()))
    greenlet = done.get(timeout=5)
    assert workers.join(5)
    gevent.kill(greenlet, late)  # such as a timeout that a task has left behind
    eventually(lambda: greenlet.dead)
    for _ in range(3):
        workers.start(done.put, 'next')
        assert done.get(timeout=5) == 'next'
        assert workers.join(5)
    assert workers.running == 0


def test_exception_thrown_between_two_tasks_does_not_lose_the_second(make):
    workers, done = make(1), Queue()
    workers.start(lambda: done.put(gevent.getcurrent()))
    greenlet = done.get(timeout=5)
    assert workers.join(5)
    gevent.get_hub().loop.run_callback(greenlet.throw, gevent.Timeout)
    workers.start(lambda: gevent.sleep(0.01) or done.put('second'))
    assert done.get(timeout=5) == 'second'
    assert workers.join(5)
    assert workers.running == 0


def test_killed_task_frees_its_place_once(make):
    workers, running = make(2), Queue()

    def task():
        running.put(gevent.getcurrent())
        gevent.sleep(60)

    workers.start(task)
    workers.start(task)
    running.get(timeout=5).kill()
    assert workers.running == 1
    assert workers.kill() == 1
    assert workers.running == 0
