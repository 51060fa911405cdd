"""A stranger's service that answers its callers with anything."""

from __future__ import annotations

from contextlib import suppress
from random import Random

import gevent
from gevent import socket

from fuzz.findings import Finding
from fuzz.generate import hostile_msgpack, mutated
from fuzz.standing import Standing
from lymph.core._protocol.zmtp.frames import encode_command, encode_message
from lymph.core._protocol.zmtp.handshake import GREETING, encode_ready
from lymph.serializers.msgpack import pack

__all__ = ['Replies']

_OUTCOMES = {
    'a result',
    'ConnectionLost',
    'Expired',
    'Failed',
    'Nack',
    'NotConnected',
    'Refused',
    'RemoteError',
    'RpcError',
    'Timeout',
}
_HEADERS = [pack({}), pack({'reason': 'overloaded'}), pack({'reason': 5}), pack({'reason': []})]
_TYPES = [b'REP', b'ERROR', b'NACK', b'ACK', b'REQ', b'CANCEL', b'', b'XYZ']


class Replies:
    """A service calls a stranger: whatever it answers, the call has one outcome in time."""

    def __init__(self) -> None:
        self._standing = Standing('zmtp')

    def attack(self, chance: Random) -> None:
        """Be called once, and answer."""
        listener = socket.socket()
        listener.bind(('127.0.0.1', 0))
        listener.listen()
        endpoint = f'tcp://127.0.0.1:{listener.getsockname()[1]}'
        stranger = gevent.spawn(_answer, listener, chance)
        try:
            outcome = self._standing.call('probe.call', endpoint=endpoint)
        finally:
            stranger.kill()
            listener.close()
        if outcome not in _OUTCOMES and not str(outcome).isidentifier():
            raise Finding(f'a call of a stranger ended as {outcome!r}')
        self._standing.check(stranger.value if isinstance(stranger.value, int) else 1_000_000)

    def close(self) -> None:
        """End the service and see what it is left with."""
        self._standing.close()


def _answer(listener: socket.socket, chance: Random) -> int:
    """Speak ZMTP up to the request, then answer; return how many bytes that were."""
    peer, _ = listener.accept()
    sent = 0
    with peer, suppress(OSError):
        peer.sendall(GREETING + encode_command(encode_ready('ROUTER')))
        data = b''
        while b'REQ' not in data:
            part = peer.recv(65536)
            if not part:
                return sent
            data += part
        at = data.index(b'REQ') - 2
        id = data[at - 16 : at]
        for _ in range(chance.randint(1, 3)):
            answer = encode_message(
                [b'answer', chance.choice(_TYPES), id, _headers(chance), hostile_msgpack(chance)]
            )
            if chance.random() < 0.3:
                answer = mutated(chance, answer)
            peer.sendall(answer)
            sent += len(answer)
        if chance.random() < 0.5:
            peer.shutdown(socket.SHUT_WR)
        peer.recv(65536)  # until the caller has had enough
    return sent


def _headers(chance: Random) -> bytes:
    return hostile_msgpack(chance) if chance.random() < 0.3 else chance.choice(_HEADERS)
