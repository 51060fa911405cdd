from __future__ import annotations

import contextlib

import gevent
import pytest

import lymph
from lymph.core._system.threads import get_ident
from lymph.core.channels import ReplyChannel, RequestChannel
from lymph.core.messages import ACK, EMPTY_MAP, ERROR, NACK, REP, Message, id_source
from lymph.core.transport.base import LinkDown, MessageTooLong
from lymph.exceptions import ConnectionLost, Failed, RemoteError, SerializationError, Timeout
from lymph.testing.waiting import eventually


class Link:
    """Records what is sent."""

    peer = 'memory://caller'
    up = True
    limit = 10**6

    def __init__(self):
        self.sent = []

    def send(self, frames):
        if not self.up:
            raise LinkDown('gone')
        if (size := sum(map(len, frames))) > self.limit:
            raise MessageTooLong(size, self.limit)
        self.sent.append(Message.from_frames(list(frames)))


@pytest.fixture
def link():
    return Link()


@pytest.fixture
def channel(link):
    return ReplyChannel(link, Message(Message.REQ, 'echo.upper', {}), id_source())


ANSWERS = {
    'reply': lambda channel: channel.reply({'a': 1}),
    'ack': lambda channel: channel.ack(),
    'nack': lambda channel: channel.nack(),
    'error': lambda channel: channel.error({'type': 'ValueError', 'message': 'no'}),
}
TEXTS = {
    'text': lambda channel: channel.error('no such account'),
    'typed': lambda channel: channel.error('no such account', type='KeyError'),
}


@pytest.mark.parametrize(
    ('answer', 'type', 'headers', 'body'),
    [
        ('reply', REP, {}, {'a': 1}),
        ('ack', ACK, {}, None),
        ('nack', NACK, {'reason': 'failed'}, None),
        ('error', ERROR, {}, {'type': 'ValueError', 'message': 'no'}),
    ],
)
def test_an_answer_names_the_request_it_answers(channel, link, answer, type, headers, body):
    assert not channel.reply_sent
    ANSWERS[answer](channel)
    assert channel.reply_sent
    (message,) = link.sent
    assert message.subject == channel.message.id
    assert message.id != channel.message.id
    assert (message.type, message.headers, message.body) == (type, headers, body)


@pytest.mark.parametrize('second', ANSWERS)
@pytest.mark.parametrize('first', ANSWERS)
def test_request_cannot_be_answered_twice(channel, link, first, second):
    ANSWERS[first](channel)
    with pytest.raises(RuntimeError, match=r'echo\.upper has been answered already'):
        ANSWERS[second](channel)
    assert len(link.sent) == 1


@pytest.mark.parametrize('answer', ['ack', 'nack'])
def test_unless_reply_sent_skips_answered_requests(channel, link, answer):
    for _ in range(3):
        getattr(channel, answer)(unless_reply_sent=True)
    assert len(link.sent) == 1


def test_nack_has_a_reason_and_a_text(channel, link):
    channel.nack(reason='overloaded', text='come back later')
    (message,) = link.sent
    assert message.headers == {'reason': 'overloaded'}
    assert message.body == {'message': 'come back later'}


@pytest.mark.parametrize('text', ['x' * 10**8, '\ud800' * 10**6, 'ä' * 10**6, '\0' * 10**6])
def test_a_nack_is_short_and_can_be_read(channel, link, text):
    channel.nack(text=text)
    (message,) = link.sent
    assert 0 < len(message.body['message']) <= 2000


@pytest.mark.parametrize('limit', [2000, 200, 120])
def test_nack_fits_into_the_largest_message(channel, link, limit):
    link.limit = limit
    channel.nack(text='x' * 10**6)
    (message,) = link.sent
    assert message.headers == {'reason': 'failed'}
    assert sum(map(len, message.frames())) <= limit


def test_an_error_also_takes_keywords(channel, link):
    channel.error({'type': 'A'}, message='text')
    assert link.sent[0].body == {'type': 'A', 'message': 'text'}


def test_an_error_may_be_plain_text(channel, link):
    channel.error('no such account')
    assert link.sent[0].body == {'message': 'no such account'}


def test_an_error_of_plain_text_may_have_a_type(channel, link):
    channel.error('empty', type='ValueError')
    assert link.sent[0].body == {'message': 'empty', 'type': 'ValueError'}


@pytest.mark.parametrize('body', [['text'], 5, b'text', ValueError('text'), False])
def test_invalid_error_body_leaves_the_request_unanswered(channel, link, body):
    with pytest.raises(TypeError, match=r'expected an error as text, as a mapping like .*, found'):
        channel.error(body)
    assert link.sent == []
    channel.error('again')


def test_unserializable_body_leaves_the_request_unanswered(channel, link):
    with pytest.raises(SerializationError):
        channel.reply(object())
    assert not channel.reply_sent
    channel.ack()
    assert len(link.sent) == 1


def test_answering_a_disconnected_caller_is_not_an_error(channel, link):
    link.up = False
    channel.reply(1)
    assert channel.reply_sent


class Raw(lymph.Interface):
    """Answers as its arguments say."""

    channels = ()

    @lymph.raw_rpc()
    def answer(self, channel, how):
        assert isinstance(channel, ReplyChannel)
        assert isinstance(channel.message, Message)
        {**ANSWERS, **TEXTS}[how](channel)

    @lymph.raw_rpc()
    def twice(self, channel):
        channel.reply('first')
        channel.reply('second')

    @lymph.raw_rpc()
    def fails_after_reply(self, channel):
        channel.reply('first')
        raise RuntimeError('too late')

    @lymph.raw_rpc()
    def silent(self, channel):
        pass

    @lymph.raw_rpc()
    def later(self, channel):
        channel.detach()
        self.channels = (*self.channels, channel)


class TooLong(lymph.Interface):
    """Answers with more than the largest message."""

    @lymph.rpc(raises=(ValueError,))
    def result(self):
        return 'x' * 10**6

    @lymph.rpc(raises=(ValueError,))
    def declared(self):
        raise ValueError('x' * 10**6)

    @lymph.rpc()
    def undeclared(self):
        raise ValueError('x' * 10**6)

    @lymph.raw_rpc()
    def reply(self, channel):
        channel.reply('x' * 10**6)

    @lymph.raw_rpc()
    def error(self, channel):
        channel.error(type='ValueError', message='x' * 10**6)

    @lymph.raw_rpc()
    def nack(self, channel):
        channel.nack(text='x' * 10**6)

    @lymph.raw_rpc()
    def unheard(self, channel):
        with contextlib.suppress(MessageTooLong):
            channel.reply('x' * 10**6)

    @lymph.rpc()
    def unserializable(self):
        return object()

    @lymph.rpc()
    def deep(self):
        value = []
        for _ in range(1000):
            value = [value]
        return value


@pytest.mark.parametrize('method', sorted(TooLong.methods))
@pytest.mark.parametrize('limit', [1024, 10_000])
def test_an_answer_that_cannot_be_sent_is_a_failure_at_once(world, method, limit):
    world.container((TooLong, 'long'), max_message_size=limit)
    caller = world.container(max_message_size=limit)
    with pytest.raises(Failed) as caught:
        caller.request('long', f'long.{method}', timeout=30)
    assert caught.value.executed == 'yes'


@pytest.fixture
def raw(world):
    service, caller = world.container((Raw, 'raw')), world.container()
    proxy = lymph.Proxy(caller, 'raw')
    proxy.service = service
    return proxy


def test_a_raw_method_replies_or_acknowledges(raw):
    assert raw.answer(how='reply') == {'a': 1}
    assert raw.answer(how='ack') is None


def test_a_raw_method_refuses_or_fails(raw):
    with pytest.raises(Failed) as caught:
        raw.answer(how='nack')
    assert caught.value.reason == 'failed'
    with pytest.raises(RemoteError.ValueError, match='no'):
        raw.answer(how='error')


@pytest.mark.parametrize(('how', 'type'), [('text', 'Exception'), ('typed', 'KeyError')])
def test_a_raw_method_fails_with_plain_text(raw, how, type):
    with pytest.raises(RemoteError) as caught:
        raw.answer(how=how)
    assert (caught.value.type, str(caught.value)) == (type, 'no such account')


def test_the_first_answer_counts(raw, caplog):
    assert raw.twice() == 'first'
    assert raw.fails_after_reply() == 'first'
    eventually(lambda: 'too late' in caplog.text)
    assert 'raw.twice has been answered already' in caplog.text


def test_raw_method_that_returns_without_an_answer_has_failed(raw):
    with pytest.raises(Failed, match=r'raw\.silent returned without an answer'):
        raw.silent()


def test_a_detached_channel_answers_after_the_method_has_returned(raw):
    future = raw.later.defer()
    (interface,) = raw.service.interfaces
    eventually(lambda: interface.channels and raw.service.workers.running == 0)
    assert not future.ready()
    interface.channels[0].reply('now')
    assert future.get(timeout=5) == 'now'


class Connection:
    """What a RequestChannel needs of its connection."""

    endpoint = 'memory://1'

    def __init__(self):
        self.heard = 0
        self.thread = get_ident()
        self.given_up = []

    def give_up(self, channel):
        self.given_up.append(channel)

    def expired(self, channel, error):
        channel.resolve(None, error)


@pytest.fixture
def request_channel():
    return RequestChannel(b'id', b'echo.upper', EMPTY_MAP, Connection(), 3.0)


def resolve_soon(channel, frames=None, error=None):
    gevent.get_hub().loop.run_callback(channel.resolve, frames, error)


def reply(body):
    return Message(Message.REP, b'id', body).frames()


def test_reply_is_waited_for_and_can_be_read_again(request_channel):
    resolve_soon(request_channel, reply('x'))
    message = request_channel.get(timeout=5)
    assert isinstance(message, Message)
    assert (message.type, message.body) == (Message.REP, 'x')
    assert request_channel.get(timeout=5) is message


def test_a_reply_that_arrived_before_is_there_at_once(request_channel):
    resolve_soon(request_channel, reply('x'))
    gevent.sleep(0)
    assert request_channel.get(timeout=0.001).body == 'x'


def test_reply_can_be_read_after_a_timeout(request_channel):
    with pytest.raises(Timeout, match=r'no reply from echo\.upper at memory://1 within 0\.01 s'):
        request_channel.get(timeout=0.01)
    resolve_soon(request_channel, reply('late'))
    assert request_channel.get(timeout=5).body == 'late'


def test_without_a_timeout_the_reply_is_waited_for_until_the_call_ends(request_channel):
    resolve_soon(request_channel, reply('x'))
    assert request_channel.get(timeout=None).body == 'x'


def test_without_a_timeout_the_deadline_of_the_call_still_ends_it(request_channel):
    gevent.get_hub().loop.run_callback(request_channel.expire)
    with pytest.raises(Timeout, match=r'no reply from echo\.upper at memory://1 within 3 s'):
        request_channel.get(timeout=None)


def test_lost_connection_is_raised_each_time(request_channel):
    resolve_soon(request_channel, error=ConnectionLost('cut'))
    for _ in range(2):
        with pytest.raises(ConnectionLost, match='cut'):
            request_channel.get(timeout=5)


def test_a_call_that_expires_is_a_timeout(request_channel):
    gevent.get_hub().loop.run_callback(request_channel.expire)
    with pytest.raises(Timeout, match=r'no reply from echo\.upper at memory://1 within 3 s'):
        request_channel.wait()


def test_one_greenlet_waits_at_a_time(request_channel, spawn):
    first = spawn(request_channel.get, timeout=5)
    gevent.sleep(0)
    with pytest.raises(RuntimeError, match='two greenlets wait for the reply'):
        request_channel.wait()
    resolve_soon(request_channel, reply('x'))
    assert first.get(timeout=5).body == 'x'


def test_a_greenlet_killed_while_it_waits_leaves_the_reply_to_another(request_channel, spawn):
    first = spawn(request_channel.get, timeout=5)
    gevent.sleep(0)
    first.kill()
    resolve_soon(request_channel, reply('x'))
    assert request_channel.get(timeout=5).body == 'x'


def test_cancelling_a_channel_gives_up_its_call(request_channel):
    request_channel.cancel()
    assert request_channel._connection.given_up == [request_channel]
