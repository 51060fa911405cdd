"""Background work of a handler has its trace id, but not the deadline of its caller."""

from __future__ import annotations

import gevent
import pytest
from gevent.event import Event
from gevent.queue import Queue

import lymph
from lymph.core import trace
from lymph.core._loop import deadlines
from lymph.core.greenlets import Greenlet
from lymph.exceptions import Expired


class Starter(lymph.Interface):
    """Starts work that goes on after the call has timed out."""

    starter = lymph.proxy('starter', timeout=5)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.late = Event()
        self.results = Queue()

    @lymph.rpc()
    def echo(self, text):
        return [text, trace.get_id()]

    def work(self):
        self.late.wait(10)
        try:
            self.results.put((self.starter.echo(text='done'), deadlines.current()))
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            self.results.put(error)

    @lymph.rpc()
    def start(self, how):
        {
            'spawn': lambda: self.spawn(self.work),
            'pool': lambda: self.pool.spawn(self.work),
            'greenlet': lambda: Greenlet.spawn(self.work),
            'spawn twice': lambda: self.spawn(self.spawn, self.work),
            'emit': lambda: self.emit('begin'),
            'subscribe': self.begin_at_runtime,
            'task': lambda: self.job.apply(),
            'deferred': lambda: self.results.put(self.container.defer(self.late_call)),
        }[how]()
        self.late.wait(10)

    def begin_at_runtime(self):
        self.subscribe('runtime')(lambda event: self.work())
        self.emit('runtime')

    def late_call(self):
        self.late.wait(10)
        return self.starter.echo(text='too late')

    @lymph.event('begin')
    def on_begin(self, event):
        self.work()

    @lymph.task()
    def job(self):
        self.work()


@pytest.fixture
def starter(world):
    return world.container((Starter, 'starter')).interfaces[0]


@pytest.fixture
def start(world, starter):
    """Call a method that starts work and exceeds the timeout; return the trace id."""

    def start(how):
        caller, id = world.container(), trace.new_id()

        def call():
            trace.set_id(id)
            with pytest.raises(lymph.Timeout):
                caller.request('starter', 'starter.start', {'how': how}, timeout=0.05)

        gevent.spawn(call).get(timeout=10)
        starter.late.set()
        return id

    return start


@pytest.mark.parametrize('how', ['spawn', 'pool', 'greenlet', 'spawn twice', 'emit', 'subscribe'])
def test_work_that_a_method_starts_has_the_trace_of_the_call_and_no_deadline(how, start, starter):
    id = start(how)
    assert starter.results.get(timeout=10) == (['done', id], None)


def test_a_task_has_the_trace_of_the_call_and_no_deadline(world, start, starter):
    worker = world.container((Starter, 'starter'), worker=True).interfaces[0]
    worker.late.set()
    id = start('task')
    assert worker.results.get(timeout=10) == (['done', id], None)


def test_deferred_call_ends_by_the_deadline_of_its_caller(start, starter):
    start('deferred')
    result = starter.results.get(timeout=10)
    with pytest.raises(Expired):
        result.get(timeout=10)


def test_the_deadline_of_the_handler_itself_stays(starter):
    def handle():
        deadlines.set_current(1.0)
        starter.spawn(int).join(5)
        return deadlines.current()

    assert gevent.spawn(handle).get(timeout=10) == 1.0
