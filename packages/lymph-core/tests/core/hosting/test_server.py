from __future__ import annotations

import pytest
from gevent.queue import Queue
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import lymph
from lymph.core.messages import ACK, NACK, REP, REQ, Message
from lymph.core.transport.memory import MemoryTransport
from lymph.serializers.msgpack import pack
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    """Returns what it gets."""

    @lymph.rpc()
    def echo(self, text=None):
        return text


class Stranger:
    """A peer that sends plain frames without the code of lymph."""

    def __init__(self, network, endpoint):
        self.arrived = Queue()
        self.up = Queue()
        self.down = []
        self.transport = MemoryTransport(network=network)
        self.link = self.transport.connect(endpoint, self)
        self.up.get(timeout=5)

    def link_up(self, link):
        self.up.put(True)

    def link_down(self, link, reason):
        self.down.append(reason)

    def message_arrived(self, link, frames):
        self.arrived.put(Message.from_frames(frames))

    def send(self, *frames):
        self.link.send(frames)

    def ask(self, subject=b'echo.echo', headers=None, body=None, **packed):
        """Send a request and return its answer."""
        message = Message(REQ, subject, {} if body is None else body, headers, **packed)
        self.link.send(message.frames())
        answer = self.arrived.get(timeout=5)
        assert answer.subject == message.id
        return answer


@pytest.fixture
def service(world):
    return world.container((Echo, 'echo'), (Echo, 'old', '1.5'))


@pytest.fixture
def stranger(world, service):
    stranger = Stranger(world.network, service.endpoint)
    yield stranger
    stranger.transport.close()


class Failing(lymph.Interface):
    """Fails each time it is called."""

    @lymph.rpc()
    def fail(self):
        raise ValueError('again')

    @lymph.rpc()
    def spawn_failing(self):
        self.spawn(self.fail)


def lines_told(caplog):
    """The number of failures in the log, including those that are only counted there."""
    texts = [record.getMessage() for record in caplog.records]
    counts = [int(text.split()[-6]) for text in texts if text.endswith('lines were left out')]
    return sum(counts) + sum(text.endswith(' failed') for text in texts)


@pytest.mark.parametrize('method', ['fail', 'spawn_failing'])
def test_a_method_that_always_fails_does_not_fill_the_log(world, caplog, method):
    service = world.container((Failing, 'failing'))
    told = []
    service.error_hook.install(lambda error, **_: told.append(error))
    service.error_hook.install(lambda error, **_: 1 / 0)
    stranger = Stranger(world.network, service.endpoint)
    answers = [stranger.ask(subject=f'failing.{method}'.encode()) for _ in range(300)]
    eventually(lambda: len(told) == 300)
    assert len(answers) == 300
    eventually(lambda: lines_told(caplog) == 600)  # of the method and of the hook
    assert len(caplog.records) < 150
    stranger.transport.close()


def metrics(service):
    return {(name, tags.get('reason')): value for name, value, tags in service.metrics}


def test_call_needs_nothing_but_five_frames(stranger):
    answer = stranger.ask(body={'text': 'x'})
    assert (answer.type, answer.body) == (REP, 'x')


def test_unknown_headers_are_ignored(stranger):
    assert stranger.ask(headers={'colour': 'blue', 5: None}, body={'text': 'x'}).body == 'x'


@pytest.mark.parametrize(
    ('request_', 'reason', 'said'),
    [
        (
            {'subject': b'ech.echo'},
            'unknown_interface',
            "no interface 'ech' here (installed: echo, lymph, old)",
        ),
        ({'subject': b''}, 'unknown_interface', "no interface '' here"),
        ({'subject': b'\xff\xfe'}, 'unknown_interface', 'no interface'),
        ({'subject': b'echo'}, 'unknown_interface', 'no interface'),
        (
            {'subject': b'echo.ech'},
            'unknown_method',
            'no method echo.ech (it has: echo); did you mean echo.echo?',
        ),
        ({'subject': b'echo.'}, 'unknown_method', 'no method echo.'),
        ({'subject': b'echo.on_start'}, 'unknown_method', 'no method echo.on_start'),
        (
            {'headers': {'version': '1'}},
            'unknown_version',
            'echo does not serve version 1 (installed: unversioned)',
        ),
        (
            {'subject': b'old.echo', 'headers': {'version': '2'}},
            'unknown_version',
            'installed: 1.5.0',
        ),
        (
            {'subject': b'old.echo', 'headers': {'version': 'x'}},
            'unknown_version',
            'expected a version like',
        ),
        ({'body': {'txt': 1}}, 'invalid_arguments', "unexpected argument 'txt' (takes: text=None)"),
        ({'body': {5: 1}}, 'invalid_arguments', 'expected argument names as text, found 5'),
        ({'body': {'self': 1}}, 'invalid_arguments', "unexpected argument 'self'"),
        ({'body': [1]}, 'malformed', 'expected the arguments as a map, found list'),
        ({'packed_body': b'\xc1'}, 'malformed', 'expected msgpack'),
        (
            {'packed_body': pack(None)},
            'malformed',
            'expected the arguments as a map, found NoneType',
        ),
        ({'packed_headers': b'\xc1'}, 'malformed', 'headers: expected msgpack'),
        ({'packed_headers': pack([1])}, 'malformed', 'expected headers as a map'),
        (
            {'headers': {'timeout': 'soon'}},
            'malformed',
            "expected timeout as seconds, found 'soon'",
        ),
        (
            {'headers': {'timeout': float('nan')}},
            'malformed',
            'expected timeout as seconds, found nan',
        ),
        ({'headers': {'version': 1.2}}, 'malformed', 'expected version as text, found 1.2'),
        ({'headers': {'trace_id': 7}}, 'malformed', 'expected trace_id as text, found 7'),
        (
            {'headers': {'trace_id': 'x\n1.1.2026 forged'}},
            'malformed',
            "expected trace_id as 1 to 128 letters, digits and ._:-, found 'x\\n1.1.2026 forged'",
        ),
        ({'headers': {'trace_id': ''}}, 'malformed', "digits and ._:-, found ''"),
        ({'headers': {'trace_id': 'x' * 129}}, 'malformed', 'expected trace_id as 1 to 128'),
        (
            {'headers': {'other': 'x' * 17_000}},
            'malformed',
            'expected headers of at most 16384 bytes, found 17',
        ),
        (
            {'subject': b'echo.' + b'x' * 251},
            'malformed',
            'expected a subject of at most 255 bytes, found 256',
        ),
        ({'id': b'i' * 256}, 'malformed', 'expected an id of at most 255 bytes, found 256'),
        (
            {'packed_body': b'\x91' * 33 + b'\xc0'},
            'malformed',
            'more than 32 containers inside each other',
        ),
        ({'headers': {'timeout': 0}}, 'expired', 'the deadline of the call has passed'),
        ({'headers': {'timeout': -1e300}}, 'expired', 'the deadline of the call has passed'),
    ],
    ids=lambda v: v if isinstance(v, str) and ' ' not in v else '',
)
def test_request_that_cannot_be_served_is_refused_with_its_reason(
    service, stranger, request_, reason, said
):
    answer = stranger.ask(**request_)
    assert (answer.type, answer.headers) == (NACK, {'reason': reason})
    assert said in answer.body['message']
    counted = metrics(service)
    assert counted.get(('rpc.dropped', reason), 0) + counted.get(('rpc.refused', reason), 0) == 1
    assert stranger.ask(body={'text': 'still here'}).body == 'still here'


BIG = 'x\n' * 500_000

COSTLY = [
    {'subject': BIG.encode()},
    {'subject': b'echo.' + BIG.encode()},
    {'id': BIG[:16_000].encode()},
    {'headers': {'trace_id': BIG}},
    {'headers': {'version': BIG[:8000]}},
    {'headers': {'timeout': BIG[:8000]}},
    {'headers': {'timeout': [[5]] * 4000}},
    {'headers': {BIG: 1}},
    {'packed_headers': pack(BIG[:8000])},
    {'packed_headers': b'\xdd\x00\xff\xff\xff' + b'\x80' * 16_777_215},
    {'body': {BIG: 1}},
    {'body': {f'{number}{BIG[:1000]}': 1 for number in range(1000)}},
    {'body': {(BIG,): 1}},
    {'packed_body': pack(BIG)},
    {'packed_body': b'\xdd\x00\xff\xff\xff' + b'\x80' * 16_777_215},
]


@pytest.mark.parametrize('request_', COSTLY, ids=range(len(COSTLY)))
def test_quotes_in_refusals_are_cut(service, stranger, request_, caplog):
    answer = stranger.ask(**request_)
    assert answer.type == NACK
    assert len(answer.packed_body) < 500
    assert answer.body['message'].isprintable()
    assert len(caplog.text) < 1000
    assert stranger.ask(body={'text': 'still here'}).body == 'still here'


def test_long_names_get_no_suggestion(stranger, monkeypatch):
    monkeypatch.setattr('difflib.get_close_matches', lambda *_, **__: pytest.fail('compared'))
    for request_ in (
        {'subject': b'echo.' + b'x' * 100},
        {'body': {'x' * 100: 1}},
        {'body': {'x' * 10**6: 1}},
    ):
        assert stranger.ask(**request_).type == NACK


def test_request_whose_id_is_too_long_for_an_answer_is_dropped(service, stranger):
    stranger.send(b'i' * 100_000, REQ, b'echo.echo', b'\x80', b'\x80')
    assert stranger.ask(body={'text': 'x'}).body == 'x'
    assert metrics(service)['rpc.dropped', 'id'] == 1


@pytest.mark.parametrize('timeout', [1, 5.5, None, float('inf'), 2**63])
def test_any_positive_timeout_is_accepted(stranger, timeout):
    assert stranger.ask(headers={'timeout': timeout}, body={'text': 'x'}).body == 'x'


@pytest.mark.parametrize(
    ('frames', 'counted'),
    [
        ([], 'frame_count'),
        ([b''], 'frame_count'),
        ([b'i', b'REQ', b's', b'\x80'], 'frame_count'),
        ([b'i', b'REQ', b's', b'\x80', b'\x80', b''], 'frame_count'),
        ([b'i', b'NOPE', b's', b'\x80', b'\x80'], 'type'),
        ([b'i', b'REP', b's', b'\x80', b'\x80'], 'type'),
        ([b'i', b'', b's', b'\x80', b'\x80'], 'type'),
    ],
)
def test_messages_that_are_not_requests_are_dropped_and_counted(service, stranger, frames, counted):
    stranger.send(*frames)
    assert stranger.ask(body={'text': 'x'}).body == 'x'
    assert metrics(service)['rpc.dropped', counted] == 1


@pytest.fixture
def willing(world, cancellable):
    return world.container((cancellable, 'willing')).interfaces[0]


@pytest.fixture
def connect(world):
    strangers = []

    def connect(willing):
        strangers.append(Stranger(world.network, willing.container.endpoint))
        return strangers[-1]

    yield connect
    for stranger in strangers:
        stranger.transport.close()


REQUEST = (b'one', REQ, b'willing.wait', b'\x80', b'\x80')


def cancel(id, headers=b'\x80', body=b'\xc0'):
    return b'any', b'CANCEL', id, headers, body


def counted(willing, reason):
    return metrics(willing.container).get(('rpc.dropped', reason), 0)


def test_cancel_message_needs_no_headers_or_body(willing, connect):
    for headers, body in [(b'\x80', b'\xc0'), (b'', b''), (b'\xc1', b'\xc1' * 100_000)]:
        stranger = connect(willing)
        stranger.send(*REQUEST)
        willing.begun.get(timeout=5)
        stranger.send(*cancel(b'one', headers, body))
        assert willing.ended.get(timeout=5) == 'given up'
        assert stranger.arrived.get(timeout=5).headers == {'reason': 'failed'}
    assert counted(willing, 'cancel') == 0


def test_cancel_message_does_not_affect_calls_of_other_callers(willing, connect):
    stranger, other = connect(willing), connect(willing)
    stranger.send(*REQUEST)
    willing.begun.get(timeout=5)
    other.send(*cancel(b'one'))
    assert other.ask(b'lymph.ping', body={'payload': 1}).body == 1
    assert counted(willing, 'cancel') == 1
    stranger.send(*cancel(b'one'))
    assert willing.ended.get(timeout=5) == 'given up'
    assert willing.ended.empty()


def test_cancel_messages_for_unknown_calls_are_counted_and_not_stored(willing, connect):
    stranger = connect(willing)
    useless = [b'', b'no', b'x' * 256, b'y' * 1_000_000, *(b'%d' % n for n in range(5000))]
    for id in useless:
        stranger.send(*cancel(id))
    stranger.send(*cancel(b'one'))  # before its request
    stranger.send(*REQUEST)
    willing.begun.get(timeout=5)
    assert counted(willing, 'cancel') == len(useless) + 1
    assert willing.ended.empty()
    stranger.send(*cancel(b'one'))
    stranger.send(*cancel(b'one'))  # a second time
    assert willing.ended.get(timeout=5) == 'given up'
    assert stranger.arrived.get(timeout=5).subject == b'one'
    stranger.send(*cancel(b'one'))  # after its answer
    assert stranger.ask(b'lymph.ping', body={'payload': 1}).body == 1
    assert counted(willing, 'cancel') == len(useless) + 3
    assert stranger.down == []


@pytest.mark.parametrize('count', [0, 1, 4, 6, 50])
def test_cancel_message_with_a_wrong_number_of_frames_is_dropped(willing, connect, count):
    stranger = connect(willing)
    stranger.send(*REQUEST)
    willing.begun.get(timeout=5)
    stranger.send(*([b'any', b'CANCEL', b'one', *[b''] * 50][:count]))
    assert stranger.ask(b'lymph.ping', body={'payload': 1}).body == 1
    assert counted(willing, 'frame_count') == 1
    assert willing.ended.empty()


def test_request_id_used_twice_by_one_caller_does_not_affect_other_callers(willing, connect):
    stranger = connect(willing)
    for _ in range(3):
        stranger.send(*REQUEST)
        willing.begun.get(timeout=5)
    stranger.send(*cancel(b'one'))
    assert willing.ended.get(timeout=5) == 'given up'
    assert stranger.arrived.get(timeout=5).subject == b'one'
    assert stranger.ask(b'lymph.ping', body={'payload': 1}, id=b'two').body == 1


@pytest.mark.parametrize('timeout', [1e10, 1e300, float('inf'), 2**63])
def test_call_without_a_finite_deadline_is_cancelled_only_by_its_caller(willing, connect, timeout):
    stranger = connect(willing)
    request = Message(REQ, 'willing.wait', {}, {'timeout': timeout}, id=b'one')
    stranger.link.send(request.frames())
    willing.begun.get(timeout=5)
    stranger.send(*cancel(b'one'))
    assert willing.ended.get(timeout=5) == 'given up'


def test_callers_are_counted_while_they_are_connected(world, service):
    strangers = [Stranger(world.network, service.endpoint) for _ in range(3)]
    for stranger in strangers:
        stranger.ask()
    assert metrics(service)['rpc.callers', None] == 3
    for stranger in strangers:
        stranger.transport.close()
    eventually(lambda: metrics(service)['rpc.callers', None] == 0)


def test_unknown_subjects_and_versions_fill_no_table(service, stranger):
    table = service._methods
    for number in range(100):
        stranger.ask(subject=b'echo.%d' % number)
        stranger.ask(subject=b'%d.echo' % number)
        stranger.ask(subject=b'old.echo', headers={'version': f'1.{number % 5}.{number}'})
    assert len(table._found) <= len(list(table))
    reasons = {tags.get('reason') for name, _, tags in service.metrics if name == 'rpc.dropped'}
    assert reasons <= {'unknown_interface', 'unknown_method', 'unknown_version'}


frames = st.lists(
    st.binary(max_size=20) | st.sampled_from([REQ, REP, ACK, b'CANCEL', b'echo.echo']), max_size=7
)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(frames, max_size=5))
def test_service_goes_on_whatever_a_peer_sends(stranger, junk):
    for frames in junk:
        stranger.send(*frames)
    stranger.link.send(Message(REQ, 'echo.echo', {'text': 'x'}, id=b'the last one').frames())
    while True:
        answer = stranger.arrived.get(timeout=5)
        if answer.subject == b'the last one':
            break
        assert answer.type in (NACK, REP)
    assert answer.body == 'x'
    assert stranger.down == []
