from __future__ import annotations

import datetime
from decimal import Decimal
from uuid import UUID

import pytest
from gevent.queue import Queue

import lymph
from lymph.core import trace
from lymph.core._declaring.tasks import Task
from lymph.exceptions import SerializationError
from lymph.testing.waiting import eventually


class Mail(lymph.Interface):
    """Sends mail in a worker."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.done = Queue()
        self.going_on = Queue()

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

    @lymph.task(sequential=True)
    def slowly(self, n):
        self.done.put(('begun', n))
        self.going_on.get()
        self.done.put(('ended', n))

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


def test_worker_consumes_only_tasks(world, service, worker):
    service.emit('something')
    assert take(service) == 'heard'
    assert worker.done.empty()


def test_worker_is_not_an_instance_of_the_service(world, service, worker):
    caller = world.container()
    assert [i.endpoint for i in caller.lookup('mail')] == [service.container.endpoint]
    assert [i.endpoint for i in caller.lookup('mail.worker')] == [worker.container.endpoint]


def test_task_that_fails_is_retried_and_reported(world, service, worker):
    errors = []
    worker.container.error_hook.install(lambda error, **details: errors.append(str(error)))
    service.flaky.apply(journal_entry='try')
    assert take(worker) == take(worker) == 'try'
    eventually(lambda: errors == ['no good', 'no good'])
    assert len(world.event_hub.dead_letters.read()) == 1


def test_calling_a_task_runs_it_directly(service):
    assert service.send('a', text='b') == 'a'
    assert take(service)[:2] == ('a', 'b')


@pytest.mark.parametrize(
    ('arguments', 'said'),
    [
        ({}, r"mail\.send: missing argument 'to' \(takes: to, text='hello'\)"),
        ({'to': 1, 'txt': 2}, r"mail\.send: unexpected argument 'txt' .* did you mean 'text'\?"),
    ],
)
def test_wrong_arguments_raise_when_the_task_is_queued(service, arguments, said):
    with pytest.raises(TypeError, match=said):
        service.send.apply(**arguments)


def test_unserializable_arguments_raise_when_the_task_is_queued(service):
    with pytest.raises(SerializationError):
        service.send.apply(to=object())


@pytest.mark.parametrize(
    'value',
    [
        None,
        [1, -2.5, True, 'grüße'],
        {'a': {'b': b'\x00\xff'}},
        {1, 2},
        datetime.datetime(2016, 2, 19, 12, 30, 0, 1, datetime.timezone.utc),
        datetime.datetime(2016, 2, 19, 12, 30),
        datetime.date(2016, 2, 19),
        datetime.time(12, 30),
        UUID(int=7),
        Decimal('12.50'),
    ],
)
def test_arguments_of_every_serializable_type_arrive_unchanged(service, worker, value):
    service.send.apply(to=value, text={'nested': [value]})
    assert take(worker)[:2] == (value, {'nested': [value]})


def test_error_names_the_path_to_an_unserializable_argument(service):
    with pytest.raises(SerializationError, match=r'text\.a\[1\]'):
        service.send.apply(to='a', text={'a': [1, object()]})


def test_a_sequential_task_runs_one_at_a_time_in_each_worker(service, worker):
    for n in range(3):
        service.slowly.apply(n=n)
    assert take(worker) == ('begun', 0)
    service.flush.apply()
    assert take(worker) == 'flushed'  # the next one would have begun before
    for n in range(3):
        worker.going_on.put(True)
        assert take(worker) == ('ended', n)
        if n < 2:
            assert take(worker) == ('begun', n + 1)


def test_class_hosted_under_two_names_has_separate_tasks(world):
    names = (Mail, 'mail'), (Mail, 'post')
    mail, post = world.container(*names).interfaces
    post.send.apply(to='before any worker')
    workers = {each.name: each for each in world.container(*names, worker=True).interfaces}
    assert take(workers['post'])[0] == 'before any worker'
    mail.send.apply(to='mail')
    assert take(workers['mail'])[0] == 'mail'
    assert workers['post'].done.empty()


def test_task_that_keeps_failing_becomes_a_dead_letter_that_can_be_replayed(world, service, worker):
    service.flaky.apply(journal_entry='x')
    assert take(worker) == take(worker) == 'x'
    (letter,) = eventually(world.event_hub.dead_letters.read)
    assert (letter.queue, letter.attempts, letter.error) == (
        'mail.flaky',
        2,
        'RuntimeError: no good',
    )
    assert letter.event.body == {'journal_entry': 'x'}
    assert world.event_hub.dead_letters.replay(letter.id) == 1
    assert take(worker) == take(worker) == 'x'


def test_task_must_take_self():
    with pytest.raises(TypeError, match='work: expected the parameters self'):

        @lymph.task()
        def work():
            pass


def test_positional_arguments_are_named_after_the_parameters(service, worker):
    service.send.apply('a', text='b')
    assert take(worker)[:2] == ('a', 'b')


@pytest.mark.parametrize(
    ('args', 'arguments', 'said'),
    [
        (('a', 'b', 'c'), {}, r'expected at most 2 arguments without a name \(to, text\), found 3'),
        (('a',), {'to': 'b'}, r"mail\.send: 'to' is given twice: without and with its name"),
    ],
)
def test_positional_arguments_that_do_not_fit_are_rejected(service, args, arguments, said):
    with pytest.raises(TypeError, match=said):
        service.send.apply(*args, **arguments)


def test_task_has_the_name_and_docstring_of_its_method():
    assert isinstance(Mail.send, Task)
    assert (Mail.send.__name__, Mail.send.__doc__) == ('send', 'Send a mail.')


def test_bound_task_has_the_name_and_docstring_of_its_method(service):
    assert (service.send.__name__, service.send.__doc__) == ('send', 'Send a mail.')
