"""The words for errors of py-amqp and the system."""

from __future__ import annotations

import socket
import ssl

import pytest
from amqp.exceptions import AccessRefused, AMQPError

from lymph.events.kombu._connecting.errors import BrokerError, cannot_connect, explain


def _tls(reason: str) -> ssl.SSLError:
    error = ssl.SSLError(1, f'[SSL: {reason}] some text (_ssl.c:1006)')
    error.reason = reason
    return error


@pytest.mark.parametrize(
    ('error', 'text'),
    [
        (ConnectionRefusedError(111, 'Connection refused'), 'connection refused'),
        (socket.gaierror(-2, 'Name not known'), 'unknown host (Name not known)'),
        (TimeoutError(), 'no answer in time'),
        (TimeoutError('timed out'), 'no answer in time'),
        (TimeoutError('no answer within 5 s'), 'no answer within 5 s'),
        (OSError(101, 'Network is unreachable'), 'Network is unreachable'),
        (_tls('WRONG_VERSION_NUMBER'), 'expected TLS, found a server that speaks something else'),
        (_tls('RECORD_LAYER_FAILURE'), 'expected TLS, found a server that speaks something else'),
        (AccessRefused('no\nsuch user'), 'no such user (403)'),
        (AMQPError(), 'AMQPError'),
        (ValueError('odd.'), 'odd'),
    ],
    ids=repr,
)
def test_error_of_another_library_is_explained_in_one_line(error: Exception, text: str) -> None:
    assert explain(error) == text


@pytest.mark.parametrize(('kind', 'length'), [(ValueError, 500), (BrokerError, 2000)])
def test_explanation_is_printable_and_bounded(kind: type[Exception], length: int) -> None:
    text = explain(kind('\x1b' * 5000))
    assert text.isprintable()
    assert len(text) <= length


@pytest.mark.parametrize(('tls', 'check'), [(True, 'certificate'), (False, 'expects TLS')])
def test_advice_for_a_failed_connection_names_tls(tls: bool, check: str) -> None:
    text = cannot_connect('amqp://there', 'why', 'the broker', tls)
    assert text.startswith('amqp://there: cannot connect: why; check the address, ')
    assert check in text
