"""TLS between the bytes of a socket and those of HTTP, without a socket.

=========  ======================================  ===================  =====================
state      `feed`                                  `wrap`               `closing`
=========  ======================================  ===================  =====================
HANDSHAKE  `ready` and OPEN after the last part    error                nothing, CLOSED
OPEN       the plain bytes; at the client's        the encrypted bytes  close_notify, CLOSED
           close_notify, `ended` becomes true
FAILED     error                                   error                nothing
CLOSED     ignored                                 error                nothing
=========  ======================================  ===================  =====================

`feed` enters FAILED when the client violates the protocol. In every state `outgoing` returns what
is to be sent next: parts of the handshake, session tickets, an alert.
"""

from __future__ import annotations

import ssl
from contextlib import suppress
from typing import Final

from lymph.exceptions import LymphError

__all__ = ['TlsError', 'TlsWire']

_HANDSHAKE: Final = 0x16  # the type of the first record of a client (RFC 8446, section 5.1)
_MOST_OWED = 16 * 1024  # bytes waiting to be sent to a client, such as answers to key updates
_RECORD = 16 * 1024  # bytes; the most that one record has, and a read returns
_PLAIN = 'this port takes HTTPS only: use https:// in place of http://\n'
_PLAIN_ANSWER = (
    'HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n'
    f'Content-Length: {len(_PLAIN)}\r\nConnection: close\r\n\r\n{_PLAIN}'
).encode()


class TlsError(LymphError):
    """A client does not speak TLS, or violates it: the connection has to be closed."""


class TlsWire:
    """The server's side of one TLS connection.

    The caller sends `outgoing()` after each `feed` until `ready` is true, and after one that raised
    TlsError. Later it may be left to `wrap`. The caller limits the time until `ready` is true.
    """

    __slots__ = (
        '_begun',
        '_closed',
        '_failure',
        '_incoming',
        '_outgoing',
        '_tls',
        'ended',
        'ready',
    )

    def __init__(self, context: ssl.SSLContext) -> None:
        #: whether the handshake is over
        self.ready = False
        #: whether the client has announced that it sends nothing more
        self.ended = False
        self._begun = self._closed = False
        self._failure = ''
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)

    def feed(self, data: bytes) -> bytes:
        """Return the plain bytes in what the socket has received; often there are none.

        Raises TlsError if the connection has to be closed.
        """
        if self._failure:
            raise TlsError(self._failure)
        if self._closed or self.ended or not data:
            return b''
        if not self._begun:
            self._begun = True
            self._expect_handshake(data)
        self._incoming.write(data)
        try:
            if not self.ready:
                self._tls.do_handshake()
                self.ready = True
            elif self._outgoing.pending > _MOST_OWED:
                self._failure = 'the client does not read what it makes the server send'
                raise TlsError(self._failure)
            return self._read()
        except ssl.SSLWantReadError:
            return b''
        except ssl.SSLError as error:
            raise self._failed(error) from None

    def outgoing(self) -> bytes:
        """Return what is to be sent now."""
        return self._outgoing.read() if self._outgoing.pending else b''

    def wrap(self, data: bytes | memoryview) -> bytes:
        """Return `data` encrypted, after everything else that is to be sent now.

        Raises TlsError unless the handshake is over and the connection is open.
        """
        if self._failure or self._closed or not self.ready:
            raise TlsError(self._failure or 'expected an open TLS connection')
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[self._tls.write(rest) :]
        except ssl.SSLError as error:
            raise self._failed(error) from None
        return self.outgoing()

    def closing(self) -> bytes:
        """Return what is to be sent last, which tells the client that nothing was cut off."""
        if self.ready and not self._closed and not self._failure:
            with suppress(ssl.SSLError):  # it would wait for the client to close, too
                self._tls.unwrap()
        self._closed = True
        return self.outgoing()

    def _read(self) -> bytes:
        parts = []
        with suppress(ssl.SSLWantReadError):
            while part := self._tls.read(_RECORD):
                parts.append(part)
            self.ended = True
        return b''.join(parts)

    def _expect_handshake(self, data: bytes) -> None:
        if data[0] == _HANDSHAKE:
            return
        if data[:1].isalpha():  # the method of a request
            self._outgoing.write(_PLAIN_ANSWER)
            self._failure = 'plain HTTP at a port that takes HTTPS only'
        else:
            self._failure = 'expected a TLS handshake, found something else'
        raise TlsError(self._failure)

    def _failed(self, error: ssl.SSLError) -> TlsError:
        step = 'TLS connection' if self.ready else 'TLS handshake'
        self._failure = f'{step} failed ({_reason(error)})'
        return TlsError(self._failure)


def _reason(error: ssl.SSLError) -> str:
    # such as UNSUPPORTED_PROTOCOL, TLSV1_ALERT_UNKNOWN_CA
    return (error.reason or 'unknown reason').replace('_', ' ').lower()
