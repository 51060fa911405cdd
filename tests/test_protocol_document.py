"""docs/protocol.md describes what is really sent."""

from __future__ import annotations

import pathlib
import re
from typing import get_args

import gevent
import pytest
from gevent import socket

import lymph
from lymph.core import reasons
from lymph.core.container import ServiceContainer
from lymph.core.messages import CANCEL, TYPES
from lymph.core.reasons import FAILED, NOT_REPEATED, Reason
from lymph.core.transport.zmtp import ZmtpTransport
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.null import NullEventSystem

DOCUMENT = pathlib.Path(__file__).parents[1] / 'docs' / 'protocol.md'
BLOCK = re.compile(r'^```hex (\w+)\n(.*?)^```', re.MULTILINE | re.DOTALL)


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text=None):
        return text


def bytes_of(block: str) -> list[str]:
    """The bytes of a block as pairs of digits; what stands behind two spaces is a comment."""
    return ' '.join(line.split('  ')[0] for line in block.splitlines()).split()


@pytest.fixture
def endpoint():
    container = ServiceContainer(ZmtpTransport(), StaticServiceRegistry(), NullEventSystem())
    container.install_interface(Echo, 'echo')
    container.start()
    yield container.endpoint
    container.stop()


def test_conversation_in_the_document_matches_a_real_service(endpoint):
    turns = BLOCK.findall(DOCUMENT.read_text())
    assert [speaker for speaker, _ in turns] == ['caller', 'service', 'caller', 'service']
    host, port = endpoint.removeprefix('tcp://').split(':')
    with gevent.Timeout(10), socket.create_connection((host, int(port))) as caller:
        for speaker, block in turns:
            pairs = bytes_of(block)
            if speaker == 'caller':
                caller.sendall(bytes.fromhex(' '.join(pairs)))
                continue
            heard = b''
            while len(heard) < len(pairs):
                heard += caller.recv(len(pairs) - len(heard))
            expected = [
                own if pair == '..' else pair
                for pair, own in zip(pairs, heard.hex(' ').split(), strict=True)
            ]
            assert heard.hex(' ').split() == expected


def test_message_types_of_the_document_match_the_code():
    (row,) = re.findall(r'^\| 1 \| type \| (.*) \|$', DOCUMENT.read_text(), re.MULTILINE)
    assert {each.encode() for each in re.findall(r'`(\w+)`', row)} == TYPES | {CANCEL}


def test_the_reasons_in_the_document_are_those_of_the_code():
    rows = re.findall(r'^\| `(\w+)` \| (yes|no) \|', DOCUMENT.read_text(), re.MULTILINE)
    assert dict(rows) == {each: 'yes' if each == FAILED else 'no' for each in get_args(Reason)}
    drawn = re.findall(r'^(\w+) +(yes|no) +(yes|no) ', reasons.__doc__, re.MULTILINE)
    assert {name: ran for name, ran, _ in drawn} == dict(rows)
    assert {name for name, _, again in drawn if again == 'no'} == NOT_REPEATED
