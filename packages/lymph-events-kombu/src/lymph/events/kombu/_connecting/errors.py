"""The errors of brokers, and the errors of py-amqp and the system described in one line."""

from __future__ import annotations

import socket
import ssl

from amqp.exceptions import AccessRefused, AMQPError, NotAllowed

from lymph.config.printable import printable
from lymph.core.failures import error_text
from lymph.exceptions import LymphError

__all__ = [
    'BROKEN',
    'BrokerError',
    'Unsendable',
    'cannot_connect',
    'explain',
    'refuses_login',
]

#: the errors of py-amqp when a connection or a channel fails
BROKEN = (AMQPError, OSError)

_LENGTH = 500  # characters of another library's error
#: reasons of OpenSSL, of several versions, when the first bytes from the server are not TLS
_NO_TLS = ('HTTP_REQUEST', 'PACKET_LENGTH_TOO_LONG', 'RECORD_LAYER_FAILURE', 'WRONG_VERSION_NUMBER')
_OWN_LENGTH = 2000  # characters of a BrokerError, which may contain such an error and advice


class BrokerError(LymphError):
    """The broker cannot be reached or refuses a request; the text never contains a password."""


class Unsendable(BrokerError):
    """A message cannot be encoded, so sending it again fails as well."""


def explain(error: BaseException) -> str:
    """Return an error of py-amqp or the system as one printable line, without its class.

    It has at most 500 characters, or 2000 for a BrokerError.
    """
    length = _OWN_LENGTH if isinstance(error, BrokerError) else _LENGTH
    return printable(' '.join(_text_of(error).split()), length)


def _text_of(error: BaseException) -> str:
    if isinstance(error, AMQPError):
        text = str(error.reply_text or type(error).__name__)
        return f'{text} ({error.reply_code})' if error.reply_code else text
    if isinstance(error, ssl.SSLCertVerificationError):
        return f'certificate verify failed: {error.verify_message}'
    if isinstance(error, ssl.SSLError) and error.reason in _NO_TLS:
        return 'expected TLS, found a server that speaks something else'
    if isinstance(error, ConnectionRefusedError):
        return 'connection refused'
    if isinstance(error, socket.gaierror):
        return f'unknown host ({error.strerror})'
    if isinstance(error, TimeoutError):
        text = error_text(error)
        return 'no answer in time' if text in ('', 'timed out') else text  # as sockets say it
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return error_text(error).rstrip('.') or type(error).__name__


def refuses_login(error: BaseException) -> bool:
    """Return whether the broker answered and refused the user or the virtual host."""
    return isinstance(error, (AccessRefused, NotAllowed))


def cannot_connect(address: object, why: str, server: str, tls: bool) -> str:
    """Return the text of a BrokerError: why there is no connection, and what to check.

    `server` is what should run at the address.
    """
    secure = 'ssl and the certificate' if tls else 'whether it expects TLS'
    return (
        f'{address}: cannot connect: {why}; '
        f'check the address, {secure}, and that {server} runs and can be reached from here'
    )
