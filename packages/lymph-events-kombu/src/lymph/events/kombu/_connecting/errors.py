"""Errors of the broker, and what py-amqp and the system raise in one line of plain words."""

from __future__ import annotations

import socket

from amqp.exceptions import AccessRefused, AMQPError, NotAllowed

from lymph.config.printable import printable
from lymph.core.failures import error_text
from lymph.exceptions import LymphError

__all__ = ['BROKEN', 'BrokerError', 'Unsendable', 'explain', 'refuses_login']

#: what py-amqp raises when a connection or a channel does not do what it was asked to
BROKEN = (AMQPError, OSError)

_LENGTH = 500  # characters that are told of an error of others
_OWN_LENGTH = 2000  # and of one that has such an error and advice in it


class BrokerError(LymphError):
    """The broker cannot be reached, or refuses what it is asked for; names it without password."""


class Unsendable(BrokerError):
    """A message that cannot be put into frames, now or later."""


def explain(error: BaseException) -> str:
    """Return an error of py-amqp or the system as one printable line, without its class."""
    length = _OWN_LENGTH if isinstance(error, BrokerError) else _LENGTH
    return printable(' '.join(_text_of(error).split()), length)


def _text_of(error: BaseException) -> str:
    if isinstance(error, AMQPError):
        text = str(error.reply_text or type(error).__name__)
        return f'{text} ({error.reply_code})' if error.reply_code else text
    if isinstance(error, ConnectionRefusedError):
        return 'connection refused'
    if isinstance(error, socket.gaierror):
        return f'unknown host ({error.strerror})'
    if isinstance(error, TimeoutError):
        return error_text(error) or 'no answer in time'
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return error_text(error).rstrip('.') or type(error).__name__


def refuses_login(error: BaseException) -> bool:
    """Tell whether the broker answered, and turned down the user or the virtual host."""
    return isinstance(error, (AccessRefused, NotAllowed))
