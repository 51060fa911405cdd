from __future__ import annotations

import pytest
from gevent.queue import Queue

import lymph
from lymph.core import trace
from lymph.core.declaring.tasks import Task
from lymph.exceptions import SerializationError
from lymph.testing.waiting import eventually


class Mail(lymph.Interface):
    """Sends mail in a worker."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.done = Queue()

    @lymph.task()
    def send(self, to, text='hello'):
        """Send a mail."""
        self.done.put((to, text, trace.get_id()))
        return to

    @lymph.task(broadcast=True)
    def flush(self):
        self.done.put('flushed')

    @lymph.task(retry=1)
    def flaky(self, journal_entry):
        self.done.put(journal_entry)
        raise RuntimeError('no good')

    @lymph.event('something')
    def on_something(self, event):
        self.done.put('heard')

    @lymph.rpc()
    def order(self, to):
        self.send.apply(to=to)


@pytest.fixture
def service(world):
    return world.container((Mail, 'mail')).interfaces[0]


@pytest.fixture
def worker(world, service):
    return world.container((Mail, 'mail'), worker=True).interfaces[0]


def take(interface):
    return interface.done.get(timeout=5)


def test_a_task_runs_in_a_worker(service, worker):
    assert service.send.apply(to='a') is None
    assert take(worker)[:2] == ('a', 'hello')
    assert service.done.empty()


def test_a_task_carries_the_trace_on(world, service, worker):
    trace.set_id('mine')
    world.container().request('mail', 'mail.order', {'to': 'b'}, timeout=5)
    trace._trace_id.set(None)
    assert take(worker) == ('b', 'hello', 'mine')


def test_tasks_wait_for_a_worker(world, service):
    service.send.apply(to='early')
    worker = world.container((Mail, 'mail'), worker=True).interfaces[0]
    assert take(worker)[0] == 'early'


def test_of_several_workers_one_runs_a_task_and_all_a_broadcast(world, service, worker):
    other = world.container((Mail, 'mail'), worker=True).interfaces[0]
    service.flush.apply()
    assert (take(worker), take(other)) == ('flushed', 'flushed')
    service.send.apply(to='a')
    eventually(lambda: len(worker.done) + len(other.done) == 1)


def test_a_worker_consumes_tasks_and_nothing_else(world, service, worker):
    service.emit('something')
    assert take(service) == 'heard'
    assert worker.done.empty()


def test_a_worker_is_no_instance_of_the_service(world, service, worker):
    caller = world.container()
    assert [i.endpoint for i in caller.lookup('mail')] == [service.container.endpoint]
    assert [i.endpoint for i in caller.lookup('mail.worker')] == [worker.container.endpoint]


def test_a_task_that_fails_is_tried_again_and_reported(world, service, worker):
    errors = []
    worker.container.error_hook.install(lambda error, **details: errors.append(str(error)))
    service.flaky.apply(journal_entry='try')
    assert take(worker) == take(worker) == 'try'
    eventually(lambda: errors == ['no good', 'no good'])
    assert len(world.event_hub.dead_letters.read()) == 1


def test_calling_a_task_runs_it_here_and_now(service):
    assert service.send('a', text='b') == 'a'
    assert take(service)[:2] == ('a', 'b')


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        ({}, r"mail\.send: missing argument 'to' \(takes: to, text='hello'\)"),
        ({'to': 1, 'txt': 2}, r"mail\.send: unexpected argument 'txt' .* did you mean 'text'\?"),
    ],
)
def test_arguments_that_do_not_fit_are_an_error_where_the_task_is_queued(service, arguments, said):
    with pytest.raises(TypeError, match=said):
        service.send.apply(**arguments)


def test_arguments_that_cannot_travel_are_an_error_where_the_task_is_queued(service):
    with pytest.raises(SerializationError):
        service.send.apply(to=object())


def test_arguments_travel_by_name(service):
    with pytest.raises(TypeError):
        service.send.apply('a')


def test_a_task_looks_like_its_method():
    assert isinstance(Mail.send, Task)
    assert (Mail.send.__name__, Mail.send.__doc__) == ('send', 'Send a mail.')


def test_a_bound_task_looks_like_its_method(service):
    assert (service.send.__name__, service.send.__doc__) == ('send', 'Send a mail.')
