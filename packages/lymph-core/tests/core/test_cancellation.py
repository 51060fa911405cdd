"""A call that nobody waits for any more is cancelled, if its method asks for that."""

from __future__ import annotations

import random
import time

import gevent
import pytest
from gevent.event import Event
from gevent.lock import RLock
from gevent.queue import Queue

import lymph
from lymph.core import trace
from lymph.core._loop.current_call import current_call
from lymph.core.failures import Killed
from lymph.core.messages import Message
from lymph.core.resources import unit
from lymph.exceptions import Cancelled, Expired, Failed
from lymph.testing.waiting import eventually, let_pass

PATIENCE = 30  # seconds; no test waits that long


class Work(lymph.Interface):
    """Notes how its methods end."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.begun = Queue()
        self.ended = Queue()
        self.gate = Event()
        self.closing = Event()
        self.lock = RLock()
        self.call = None
        self.trace_id = None

    def wait(self):
        """Wait until the gate opens, and note the outcome."""
        self.call = current_call()
        self.trace_id = trace.get_id()
        self.begun.put(True)
        try:
            self.gate.wait(PATIENCE)
        except BaseException as error:
            self.ended.put(error)
            raise
        self.ended.put(lymph.given_up())

    @lymph.rpc(cancel=True)
    def willing(self):
        self.wait()

    @lymph.rpc(cancel=False)
    def shielded(self):
        self.wait()

    @lymph.rpc()
    def unasked(self):
        self.wait()
        return 'done'

    @lymph.rpc(raises=BaseException, cancel=True)
    def declares_everything(self):
        self.wait()

    @lymph.rpc(cancel=True)
    def swallows(self):
        try:
            self.gate.wait(PATIENCE)
        except Cancelled:
            self.wait()
        return 'in spite of all'

    @lymph.rpc(cancel=True)
    def fails_then(self):
        try:
            self.wait()
        finally:
            raise ValueError('while it cleaned up')

    @lymph.rpc(cancel=True)
    def waits_in_a_thread(self):
        self.begun.put(True)
        try:
            gevent.get_hub().threadpool.apply(gevent.monkey.get_original('time', 'sleep'), (0.3,))
        except BaseException as error:
            self.ended.put(error)
            raise

    @lymph.rpc(cancel=True)
    def locks(self):
        with self.lock, gevent.Timeout(PATIENCE):
            self.wait()

    @lymph.rpc(cancel=True)
    def settles(self):
        current_call().cancellation.settle()
        self.wait()
        return 'undisturbed'

    @lymph.resource
    def slow(self):
        """Wait while it is closed."""
        yield
        self.begun.put(True)
        self.closing.wait(PATIENCE)
        self.ended.put('closed')

    @lymph.rpc(cancel=True)
    def closes_and_goes_on(self):
        with unit():
            assert self.slow is None
        self.wait()

    @lymph.rpc(cancel=True)
    def computes(self):
        """Let the deadline pass without ever waiting."""
        end = time.monotonic() + 0.1
        while time.monotonic() < end:
            pass
        return lymph.given_up()

    @lymph.raw_rpc(cancel=True)
    def raw(self, channel):
        self.wait()

    @lymph.raw_rpc(cancel=True)
    def accepts(self, channel):
        channel.ack()
        self.wait()

    @lymph.raw_rpc(cancel=True)
    def detaches(self, channel):
        channel.detach()
        self.spawn(self.answer_later, channel)

    def answer_later(self, channel):
        self.wait()
        self.ended.put(channel.given_up)
        channel.reply('later')

    @lymph.rpc(cancel=True)
    def nested(self, path):
        """Call the next service; the last one waits."""
        try:
            if path:
                self.request(path[0], f'{path[0]}.nested', {'path': path[1:]}, timeout=PATIENCE)
            else:
                self.wait()
        except BaseException as error:
            self.ended.put(error)
            raise

    @lymph.rpc(cancel=True)
    def defers(self, other):
        proxy = self.proxy(other, timeout=PATIENCE)
        results = [proxy.willing.defer() for _ in range(3)]
        try:
            results[0].get()
        finally:
            self.ended.put([result for result in results if result.ready()])

    @lymph.rpc(cancel=True)
    def sends(self, other):
        self.container.send_request(other, f'{other}.willing', timeout=PATIENCE).get(PATIENCE)

    @lymph.rpc(cancel=True)
    def calls_afterwards(self):
        try:
            self.wait()
        finally:
            try:
                self.ended.put(self.request('work', 'work.computes', timeout=PATIENCE))
            except BaseException as error:
                self.ended.put(error)
                raise


@pytest.fixture
def service(world):
    return world.container((Work, 'work'))


@pytest.fixture
def work(service):
    return service.interfaces[0]


@pytest.fixture
def caller(world):
    return world.container()


def metrics(container, name):
    return sum(value for known, value, _ in container.metrics if known == name)


def dropped(container):
    return {
        tags['reason']: value for name, value, tags in container.metrics if name == 'rpc.dropped'
    }


def after_deadline(caller, call, begun):
    with pytest.raises(lymph.Timeout):
        call(timeout=0.5 if begun else 0.05)


def with_timeout(caller, call, begun):
    ended(call, begun, lambda calling: calling.kill(gevent.Timeout(5)), gevent.Timeout)


def killed(caller, call, begun):
    ended(call, begun, lambda calling: calling.kill(), gevent.GreenletExit)


def stopped(caller, call, begun):
    ended(call, begun, lambda calling: caller.stop(), lymph.ConnectionLost)


def ended(call, begun, end, error):
    """Call, end that as soon as the handlers have begun, and expect that it ends with `error`."""

    def calling():
        with pytest.raises(error):
            call(timeout=PATIENCE)

    calling = gevent.spawn(calling)
    for each in begun:
        each.get(timeout=PATIENCE)
    end(calling)
    calling.get(timeout=PATIENCE)


WAYS = {
    after_deadline: 'deadline',
    with_timeout: 'given up',
    killed: 'given up',
    stopped: 'caller gone',
}


def give_up(how, caller, method, *begun, **body):
    """Make a call and give it up, if possible not before the methods have begun."""
    caller.request('work', 'lymph.ping', {'payload': 0})  # the connection is up

    def call(**options):
        caller.request('work', f'work.{method}', body, **options)

    how(caller, call, begun)


@pytest.mark.parametrize('how', WAYS, ids=lambda how: how.__name__)
def test_call_that_nobody_waits_for_is_cancelled_with_the_reason(how, caller, service, work):
    heard = []
    service.error_hook.install(lambda error, **details: heard.append(error))
    give_up(how, caller, 'willing', work.begun)
    error = work.ended.get(timeout=PATIENCE)
    assert (type(error), error.reason) == (Cancelled, WAYS[how])
    eventually(lambda: service.status()['handlers']['running'] == 0)
    assert service.status()['handlers']['cancelled'] == 1
    assert metrics(service, 'rpc.cancelled') == 1
    assert metrics(service, 'rpc.failed') == 0
    assert heard == []


@pytest.mark.parametrize('how', WAYS, ids=lambda how: how.__name__)
@pytest.mark.parametrize('method', ['unasked', 'shielded'])
def test_other_methods_run_to_their_end_and_can_ask_whether_their_caller_gave_up(
    how, method, caller, service, work
):
    give_up(how, caller, method, work.begun)
    eventually(lambda: work.call.given_up)
    work.gate.set()
    assert work.ended.get(timeout=PATIENCE) is True
    assert metrics(service, 'rpc.cancelled') == 0


@pytest.mark.parametrize(
    ('method', 'cancelled'), [('unasked', True), ('shielded', False), ('willing', True)]
)
def test_container_setting_applies_to_methods_without_an_option_of_their_own(
    world, method, cancelled
):
    service = world.container((Work, 'work'), rpc_cancel=True)
    work = service.interfaces[0]
    give_up(with_timeout, world.container(), method, work.begun)
    if not cancelled:
        eventually(lambda: work.call.left)
        work.gate.set()
    assert isinstance(work.ended.get(timeout=PATIENCE), Cancelled) is cancelled


def test_caller_that_still_waits_learns_that_its_call_was_cancelled(caller, service, work):
    """Its clock may be slower than that of the service."""
    caller.request('work', 'lymph.ping', {'payload': 0})
    message = lymph.core.messages.Message(b'REQ', 'work.willing', {}, {'timeout': 0.05})
    answer = caller.send_message(service.endpoint, message).get(timeout=PATIENCE)
    assert answer.headers == {'reason': 'failed'}
    assert answer.body['message'] == 'cancelled: the deadline of the call has passed'


def test_cancelled_call_is_counted_even_if_its_method_declares_all_errors(caller, service, work):
    give_up(with_timeout, caller, 'declares_everything', work.begun)
    work.ended.get(timeout=PATIENCE)
    eventually(lambda: metrics(service, 'rpc.cancelled') == 1)


@pytest.mark.parametrize('how', WAYS, ids=lambda how: how.__name__)
def test_nested_calls_are_cancelled_in_turn(how, world, caller, service, work):
    others = [world.container((Work, name)).interfaces[0] for name in ('second', 'third')]
    give_up(how, caller, 'nested', others[1].begun, path=['second', 'third'])
    for each in (work, *others):
        assert isinstance(each.ended.get(timeout=PATIENCE), Cancelled)
    for each in (service, *world.containers[-2:]):
        eventually(lambda each=each: each.status()['handlers']['cancelled'] == 1)
        assert metrics(each, 'rpc.failed') == 0


@pytest.mark.parametrize('how', WAYS, ids=lambda how: how.__name__)
def test_deferred_calls_of_a_cancelled_handler_are_cancelled(how, world, caller, work):
    other = world.container((Work, 'other'))
    begun = other.interfaces[0].begun
    give_up(how, caller, 'defers', begun, begun, begun, other='other')
    for _ in range(3):
        assert isinstance(other.interfaces[0].ended.get(timeout=PATIENCE), Cancelled)
    eventually(lambda: other.status()['handlers'] == {**other.status()['handlers'], 'running': 0})


def test_raw_requests_of_a_cancelled_handler_are_cancelled(world, caller, work):
    other = world.container((Work, 'other'))
    give_up(with_timeout, caller, 'sends', other.interfaces[0].begun, other='other')
    assert isinstance(other.interfaces[0].ended.get(timeout=PATIENCE), Cancelled)


def test_cancelling_the_request_channel_cancels_the_call(caller, service, work):
    caller.send_request('work', 'work.willing', timeout=PATIENCE).cancel()
    assert work.ended.get(timeout=PATIENCE).reason == 'given up'
    assert caller.rpc.stats()['connections'][0]['given_up'] == 1


def test_cancelled_call_is_logged_for_debugging_only(caller, service, work, caplog):
    caplog.set_level('DEBUG', 'lymph.core._hosting.calls')
    give_up(with_timeout, caller, 'willing', work.begun)
    eventually(lambda: metrics(service, 'rpc.cancelled') == 1)
    [record] = [each for each in caplog.records if 'work.willing' in each.getMessage()]
    assert record.levelname == 'DEBUG'
    assert f'(trace {work.trace_id})' in record.getMessage()


@pytest.mark.parametrize('method', ['willing', 'unasked'])
def test_call_that_has_ended_is_not_kept_for_its_caller(method, caller, service, work):
    give_up(with_timeout, caller, method, work.begun)
    table = work.call.running
    work.gate.set()
    work.ended.get(timeout=PATIENCE)
    eventually(lambda: not table)


def test_call_that_has_ended_is_not_kept_until_its_deadline(caller, service, work):
    work.gate.set()
    caller.request('work', 'work.willing', timeout=PATIENCE)
    waiting = work.call.cancellation._expirations
    eventually(lambda: len(waiting) == 0)


def test_handler_that_catches_cancelled_continues_and_answers(caller, service, work):
    message = lymph.core.messages.Message(b'REQ', 'work.swallows', {}, {'timeout': 0.05})
    channel = caller.send_message(service.endpoint, message)
    work.begun.get(timeout=PATIENCE)
    work.gate.set()
    assert channel.get(timeout=PATIENCE).body == 'in spite of all'
    assert work.ended.get(timeout=PATIENCE) is True  # and nothing else was thrown
    assert metrics(service, 'rpc.cancelled') == 0


def test_error_raised_while_cleaning_up_is_a_failure(caller, service, work, caplog):
    heard = Queue()
    service.error_hook.install(lambda error, **details: heard.put(error))
    give_up(with_timeout, caller, 'fails_then', work.begun)
    error = heard.get(timeout=PATIENCE)
    assert isinstance(error, ValueError)
    assert isinstance(error.__context__, Cancelled)
    assert 'work.fails_then failed' in caplog.text
    assert (metrics(service, 'rpc.failed'), metrics(service, 'rpc.cancelled')) == (1, 0)


@pytest.mark.parametrize('method', ['waits_in_a_thread', 'locks', 'raw'])
def test_handler_is_cancelled_wherever_it_waits(method, caller, service, work):
    give_up(with_timeout, caller, method, work.begun)
    assert isinstance(work.ended.get(timeout=PATIENCE), Cancelled)
    eventually(lambda: metrics(service, 'rpc.cancelled') == 1)
    assert work.lock.acquire(blocking=False)


def test_call_whose_outcome_is_settled_is_not_cancelled(caller, service, work):
    give_up(with_timeout, caller, 'settles', work.begun)
    eventually(lambda: work.call.left)
    work.gate.set()
    assert work.ended.get(timeout=PATIENCE) is True
    assert metrics(service, 'rpc.cancelled') == 0


def test_handler_is_cancelled_after_it_has_closed_its_resources(caller, service, work):
    give_up(with_timeout, caller, 'closes_and_goes_on', work.begun)
    let_pass(0.05, 'the call was given up, and nothing may come of that yet')
    assert work.ended.empty()
    work.closing.set()
    assert work.ended.get(timeout=PATIENCE) == 'closed'
    assert isinstance(work.ended.get(timeout=PATIENCE), Cancelled)
    eventually(lambda: metrics(service, 'rpc.cancelled') == 1)


def test_handler_that_never_waits_is_not_interrupted(caller, service):
    message = lymph.core.messages.Message(b'REQ', 'work.computes', {}, {'timeout': 0.02})
    assert caller.send_message(service.endpoint, message).get(timeout=PATIENCE).body is True


def test_handler_that_has_answered_is_not_cancelled(caller, service, work):
    assert caller.request('work', 'work.accepts', timeout=0.05) is None
    caller.stop()
    eventually(lambda: service.status()['callers'] == 0)
    let_pass(0.1, 'the deadline passes, and nothing may come of that')
    work.gate.set()
    assert work.ended.get(timeout=PATIENCE) is False


def test_detached_channel_knows_that_its_caller_is_gone(caller, service, work):
    give_up(stopped, caller, 'detaches', work.begun)
    eventually(lambda: service.status()['callers'] == 0)
    work.gate.set()
    assert work.ended.get(timeout=PATIENCE) is False  # of the spawned greenlet: it is no call
    assert work.ended.get(timeout=PATIENCE) is True
    assert metrics(service, 'rpc.cancelled') == 0


def test_nested_calls_after_the_deadline_are_refused_even_while_cleaning_up(caller, work):
    give_up(after_deadline, caller, 'calls_afterwards')
    assert work.ended.get(timeout=PATIENCE).reason == 'deadline'
    assert isinstance(work.ended.get(timeout=PATIENCE), Expired)


def test_handler_may_make_calls_while_it_cleans_up(caller, work):
    give_up(with_timeout, caller, 'calls_afterwards', work.begun)
    assert work.ended.get(timeout=PATIENCE).reason == 'given up'
    assert work.ended.get(timeout=PATIENCE) is False


def test_handler_killed_in_a_drain_is_not_also_cancelled(world, caller, service, work):
    call = gevent.spawn(caller.request, 'work', 'work.willing', timeout=PATIENCE)
    work.begun.get(timeout=PATIENCE)
    assert service.drain() == 1
    assert isinstance(work.ended.get(timeout=PATIENCE), Killed)
    with pytest.raises(Failed, match='the service stopped while it ran'):
        call.get(timeout=PATIENCE)
    assert service.status()['handlers']['cancelled'] == 0


def test_cancelled_handler_that_does_not_end_is_killed_in_a_drain(caller, service, work):
    give_up(after_deadline, caller, 'swallows')
    work.begun.get(timeout=PATIENCE)
    assert service.drain() == 1
    assert isinstance(work.ended.get(timeout=PATIENCE), Killed)


def test_given_up_is_false_outside_of_calls(service):
    assert not lymph.given_up()
    found = gevent.spawn(lymph.given_up)
    assert found.get(timeout=PATIENCE) is False


def test_no_cancel_message_is_sent_for_calls_that_have_ended(world, caller, service, work):
    work.gate.set()
    assert caller.request('work', 'work.unasked') == 'done'
    with pytest.raises(lymph.Nack):
        caller.request('work', 'work.nothing', retries=0)
    work.gate.clear()
    with pytest.raises((lymph.Timeout, lymph.Refused)):  # refused where the service is that late
        caller.request('work', 'work.unasked', timeout=0.02)
    channel = caller.send_request('work', 'work.computes')
    channel.get(timeout=PATIENCE)
    channel.cancel()
    caller.request('work', 'lymph.ping', {'payload': 0})
    assert caller.rpc.stats()['connections'][0]['given_up'] == 0
    assert dropped(service) == {'unknown_method': 1}


def test_all_calls_of_a_lost_caller_are_cancelled_even_if_they_share_an_id(caller, service, work):
    message = Message(Message.REQ, 'work.willing', {})
    for _ in range(2):
        caller.send_message('work', message)
        work.begun.get(timeout=PATIENCE)
    caller.stop()
    for _ in range(2):
        assert work.ended.get(timeout=PATIENCE).reason == 'caller gone'


def test_older_service_counts_and_drops_cancel_messages(world, caller, service, work, monkeypatch):
    monkeypatch.setattr('lymph.core._hosting.server.CANCEL', b'unknown to it')
    give_up(with_timeout, caller, 'willing', work.begun)
    eventually(lambda: dropped(service) == {'type': 1})
    work.gate.set()
    assert work.ended.get(timeout=PATIENCE) is False
    assert caller.request('work', 'lymph.ping', {'payload': 5}) == 5


class Watched(lymph.Interface, lymph.Interceptor):
    """Notes how its work ends."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.begun, self.ended, self.cleaned = Queue(), Queue(), Queue()

    def intercept(self, work, proceed):
        try:
            return proceed()
        except BaseException as error:
            self.ended.put(error)
            raise
        finally:
            gevent.sleep(0)  # nothing is thrown a second time
            self.cleaned.put(True)

    @lymph.rpc(cancel=True)
    def willing(self):
        self.begun.put(True)
        Event().wait(PATIENCE)


@pytest.mark.parametrize('how', WAYS, ids=lambda how: how.__name__)
def test_interceptors_see_that_a_call_is_cancelled(how, world, caller):
    service = world.container((Watched, 'work'))
    watched = service.interfaces[0]
    give_up(how, caller, 'willing', watched.begun)
    assert watched.ended.get(timeout=PATIENCE).reason == WAYS[how]
    assert watched.cleaned.get(timeout=PATIENCE)
    eventually(lambda: metrics(service, 'rpc.cancelled') == 1)


class Hesitating(lymph.Interface, lymph.Interceptor):
    """Waits before each of its calls."""

    ran = False

    def intercept(self, work, proceed):
        Event().wait(PATIENCE)
        return proceed()

    @lymph.rpc(cancel=True)
    def willing(self):
        self.ran = True


def test_call_that_is_cancelled_before_its_method_began_is_refused_as_expired(world, caller):
    service = world.container((Hesitating, 'work'))
    caller.request('work', 'lymph.ping', {'payload': 0})
    message = Message(Message.REQ, 'work.willing', {}, {'timeout': 0.05})
    answer = caller.send_message(service.endpoint, message).get(timeout=PATIENCE)
    assert answer.headers == {'reason': 'expired'}
    assert not service.interfaces[0].ran
    assert metrics(service, 'rpc.cancelled') == 1


class Turns(lymph.Interface):
    """Methods that share greenlets."""

    hit = 0

    @lymph.rpc(cancel=True)
    def willing(self, seconds):
        gevent.sleep(seconds)

    @lymph.rpc()
    def unwilling(self, seconds):
        try:
            gevent.sleep(seconds)
        except Cancelled:
            Turns.hit += 1


def test_cancelled_is_never_thrown_into_a_later_call_of_the_same_greenlet(world, caller):
    world.container((Turns, 'turns'))
    chance = random.Random(5)

    def call():
        for _ in range(40):
            method = chance.choice(['willing', 'unwilling'])
            body = {'seconds': chance.choice([0, 0.005, 0.01, 0.02])}
            try:
                with gevent.Timeout(chance.choice([0.005, 0.011, 1]), False):
                    caller.request('turns', f'turns.{method}', body, timeout=0.01)
            except lymph.RpcError:
                pass

    gevent.joinall([gevent.spawn(call) for _ in range(40)], raise_error=True)
    assert Turns.hit == 0
