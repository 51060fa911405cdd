"""What is specific to libzmq: routing ids, descriptors, ipc files, heartbeats."""

from __future__ import annotations

import errno
import socket as constants

import gevent
import pytest
import zmq
from gevent import socket
from gevent.server import StreamServer

from lymph.core._protocol.zmtp.handshake import GREETING
from lymph.core.transport._zeromq.weighing import traffic_of
from lymph.core.transport.base import LinkDown
from lymph.core.transport.zeromq import ZeromqTransport
from lymph.testing.contracts.transports import RecordingHandler, open_descriptors
from lymph.testing.faults.proxy import FaultProxy
from lymph.testing.waiting import block_loop, eventually

FULL = 2000  # messages that libzmq holds on both sides together


@pytest.fixture
def make():
    """Make transports."""
    made = []

    def make(**options):
        made.append(ZeromqTransport(**options))
        return made[-1]

    yield make
    for transport in made:
        transport.close()


@pytest.fixture
def raw():
    """Make plain sockets of pyzmq."""
    context, made = zmq.Context(), []

    def raw(kind, identity=None):
        made.append(context.socket(kind))
        made[-1].linger = 5000
        if identity is not None:
            made[-1].routing_id = identity
        return made[-1]

    yield raw
    for sock in made:
        sock.close(0)
    context.term()


def receive(sock):
    eventually(lambda: sock.poll(0), 10)
    return sock.recv_multipart(zmq.NOBLOCK)


def test_peer_with_its_own_identity_reconnects_as_a_new_link(make, raw):
    handler = RecordingHandler(echoes=True)
    listener = make().listen('tcp://127.0.0.1:0', handler)
    for number in range(1, 6):
        dealer = raw(zmq.DEALER, b'me')
        dealer.connect(listener.endpoint)
        for _ in range(3):
            dealer.send_multipart([b'x', b'%d' % number])
            assert receive(dealer) == [b'echo', b'x', b'%d' % number]
        assert len(handler.ups) == number
        dealer.close()
        eventually(lambda count=number: len(handler.downs) == count, 10)
    assert handler.violations == []


def test_peer_that_reconnects_while_the_loop_is_blocked_replaces_its_old_link(make, raw):
    handler = RecordingHandler(echoes=True)
    listener = make().listen('tcp://127.0.0.1:0', handler)
    for number in range(5):
        dealer = raw(zmq.DEALER, b'me')
        dealer.connect(listener.endpoint)
        dealer.send(b'%d' % number)
        block_loop(0.1, 'it comes, and its predecessor goes, before the loop hears of either')
        assert receive(dealer) == [b'echo', b'%d' % number]
        dealer.close()
    eventually(lambda: len(handler.downs) == len(handler.ups) == 5, 10)
    assert handler.violations == []


def test_peers_that_come_and_go_while_the_loop_is_blocked_are_served_and_forgotten(make, raw):
    handler = RecordingHandler()
    listener = make().listen('tcp://127.0.0.1:0', handler)
    for number in range(5):
        dealer = raw(zmq.DEALER)
        dealer.connect(listener.endpoint)
        dealer.send(b'%d' % number)
        dealer.close()
        block_loop(0.1, 'it comes and goes before the loop hears of it')
    eventually(lambda: len(handler.downs) == 5, 10)
    assert sorted(handler.messages) == [[b'%d' % number] for number in range(5)]
    assert handler.violations == []


def test_peers_that_disconnect_after_their_first_message_are_served_and_forgotten(make, raw):
    handler = RecordingHandler()
    listener = make().listen('tcp://127.0.0.1:0', handler)
    for number in range(200):
        dealer = raw(zmq.DEALER, None if number % 2 else b'same')
        dealer.connect(listener.endpoint)
        dealer.send(b'%d' % number)
        dealer.close()
        eventually(lambda count=number: len(handler.messages) > count, 10)
    eventually(lambda: len(handler.downs) == len(handler.ups) == 200, 10)
    assert handler.violations == []


def test_peers_that_never_send_make_no_links_and_leave_nothing_behind(make):
    handler = RecordingHandler()
    listener = make(handshake_timeout=0.2).listen('tcp://127.0.0.1:0', handler)
    port = int(listener.endpoint.rpartition(':')[2])
    descriptors = open_descriptors()
    silent = [socket.create_connection(('127.0.0.1', port)) for _ in range(50)]
    for sock in silent:
        with sock:
            sock.settimeout(20)
            while sock.recv(100):
                pass
    eventually(lambda: open_descriptors() <= descriptors, 10)
    assert handler.ups == []


def test_a_link_knows_where_its_caller_is(make):
    handler = RecordingHandler()
    listener = make().listen('tcp://127.0.0.1:0', handler)
    link = make().connect(listener.endpoint, RecordingHandler())
    eventually(lambda: link.up, 10)
    link.send([b'x'])
    eventually(lambda: handler.ups, 10)
    assert handler.ups[0].peer.startswith('tcp://127.0.0.1:')
    assert handler.ups[0].peer != listener.endpoint


def test_closed_listener_rejects_new_peers_and_ends_with_its_last_link(make):
    transport, handler, accepting = make(), RecordingHandler(), RecordingHandler(echoes=True)
    listener = transport.listen('tcp://127.0.0.1:0', accepting)
    port = int(listener.endpoint.rpartition(':')[2])
    link = make().connect(listener.endpoint, handler)
    eventually(lambda: link.up, 10)
    link.send([b'x'])
    eventually(lambda: handler.messages, 10)
    listener.close()
    with socket.create_connection(('127.0.0.1', port)) as newcomer:
        newcomer.settimeout(20)
        while newcomer.recv(100):
            pass
    link.send([b'x'])
    eventually(lambda: len(handler.messages) == 2, 10)
    link.close()

    def refused():
        with socket.socket() as sock:
            return sock.connect_ex(('127.0.0.1', port)) == errno.ECONNREFUSED

    eventually(refused, 10)


@pytest.mark.parametrize('direction', ['both', 'to_server', 'to_client'])
def test_a_peer_behind_a_cut_cable_is_noticed_on_both_sides(make, direction):
    accepting, handler = RecordingHandler(echoes=True), RecordingHandler()
    options = {'heartbeat_interval': 0.05, 'unresponsive_timeout': 0.3}
    listener = make(**options).listen('tcp://127.0.0.1:0', accepting)
    with FaultProxy('127.0.0.1', int(listener.endpoint.rpartition(':')[2])) as proxy:
        link = make(**options).connect(f'tcp://{proxy.address}', handler)
        eventually(lambda: link.up, 10)
        link.send([b'x'])
        eventually(lambda: handler.messages, 10)
        # The caller's first PING tells the listener for how long it may be silent.
        connection = accepting.ups[0].connection
        request = traffic_of(*connection).received
        eventually(lambda: traffic_of(*connection).received > request, 10)
        proxy.blackhole(direction)
        eventually(lambda: handler.downs and accepting.downs, 20)


def test_caller_that_does_not_read_is_disconnected(make, raw):
    accepting = RecordingHandler()
    listener = make().listen('tcp://127.0.0.1:0', accepting)
    dealer = raw(zmq.DEALER)
    dealer.rcvhwm = 10
    dealer.connect(listener.endpoint)
    dealer.send(b'x')
    eventually(lambda: accepting.ups, 10)
    link, other = accepting.ups[0], RecordingHandler(echoes=True)

    def answer():
        while True:
            link.send([bytes(10_000)])

    answering = [gevent.spawn(answer) for _ in range(5)]
    for one in answering:
        with pytest.raises(LinkDown, match='the peer does not read'):
            one.get(timeout=20)
    eventually(lambda: [reason for _, reason in accepting.downs] == ['the peer does not read'], 10)
    assert other.messages == []


def test_message_is_received_while_another_cannot_be_sent(make, raw):
    accepting = RecordingHandler()
    listener = make().listen('tcp://127.0.0.1:0', accepting)
    deaf, other = raw(zmq.DEALER), raw(zmq.DEALER)
    deaf.rcvhwm = 10
    deaf.connect(listener.endpoint)
    deaf.send(b'hello')
    eventually(lambda: accepting.ups, 10)
    other.connect(listener.endpoint)
    other.send(b'hello')
    eventually(lambda: len(accepting.messages) == 2, 10)
    to_deaf = accepting.ups[0].id
    for number in range(20):
        while listener.channel.send(to_deaf, [bytes(10_000)]):
            pass
        gevent.sleep(0)  # whatever is due is done
        other.send(b'%d' % number)
        block_loop(0.01, 'it arrives before the loop hears of it')
        listener.channel.send(to_deaf, [bytes(10_000)])
        eventually(lambda count=number: len(accepting.messages) == count + 3, 5)


@pytest.mark.parametrize(
    ('words', 'reason'),
    [
        (b'HTTP/1.1 400 Bad Request\r\n\r\n', 'connection failed: '),
        (GREETING[:12] + b'CURVE'.ljust(20, b'\0') + GREETING[32:], 'connection failed: '),
        (b'', 'connection failed: '),
    ],
)
def test_other_protocols_instead_of_a_service_are_recognised(make, words, reason):
    def answer(sock, address):
        sock.sendall(words)
        sock.recv(1000)
        while sock.recv(1000):
            pass

    server = StreamServer(('127.0.0.1', 0), answer)
    server.start()
    handler = RecordingHandler()
    timeouts = {'handshake_timeout': 0.2, 'connect_timeout': 0.3}
    make(**timeouts).connect(f'tcp://127.0.0.1:{server.server_port}', handler)
    eventually(lambda: handler.downs, 10)
    assert handler.downs[0][1].startswith(reason)
    assert handler.ups == []
    server.stop()


@pytest.mark.parametrize(
    'endpoint',
    [
        'tcp://127.0.0.1:1',
        'tcp://no-such-host.invalid:1',
        f'tcp://{"x" * 64}.invalid:1',
        'ipc:///no/such/socket',
        f'ipc:///{"x" * 300}',
        'inproc://nobody',
    ],
)
def test_unreachable_peer_is_reported_at_once(make, endpoint):
    handler = RecordingHandler()
    link = make(connect_timeout=1000).connect(endpoint, handler)
    eventually(lambda: handler.lost == [link], 10)
    assert handler.downs[0][1].startswith('connection failed: ')


def test_names_of_hosts_are_looked_up(make):
    handler = RecordingHandler(echoes=True)
    listener = make().listen('tcp://localhost:0', handler)
    assert listener.endpoint.startswith('tcp://localhost:')
    link = make().connect(listener.endpoint, RecordingHandler())
    eventually(lambda: link.up, 10)


def test_ipc_file_of_a_live_listener_is_not_taken_over(make, tmp_path):
    path = tmp_path / 'socket'
    with socket.socket(constants.AF_UNIX) as other:
        other.bind(str(path))
        other.listen(1)
        with pytest.raises(OSError, match='in use'):
            make().listen(f'ipc://{path}', RecordingHandler())
    # Its owner is gone, the file is left.
    listener = make().listen(f'ipc://{path}', RecordingHandler())
    link = make().connect(listener.endpoint, RecordingHandler())
    eventually(lambda: link.up, 10)


def test_unusable_address_is_an_error_that_names_it(make, tmp_path):
    for endpoint in (f'ipc://{tmp_path}/none/socket', 'tcp://192.0.2.1:0'):
        with pytest.raises(OSError, match=endpoint[:20]):
            make().listen(endpoint, RecordingHandler())


@pytest.mark.parametrize('endpoint', ['ipc://', 'inproc://', 'udp://127.0.0.1:1', 'tcp://a:b'])
def test_invalid_endpoint_is_an_error_with_an_example(make, endpoint):
    with pytest.raises(ValueError, match='expected an endpoint like'):
        make().connect(endpoint, RecordingHandler())


def test_one_process_can_have_hundreds_of_links(make):
    accepting = RecordingHandler(echoes=True)
    listener, transport = make().listen('tcp://127.0.0.1:0', accepting), make()
    handlers = [RecordingHandler() for _ in range(400)]  # libzmq's own limit would be 341
    links = [transport.connect(listener.endpoint, handler) for handler in handlers]
    eventually(lambda: all(link.up for link in links), 20)
    for link in links:
        link.send([b'x'])
    eventually(lambda: all(handler.messages for handler in handlers), 20)
    assert len(accepting.ups) == 400
