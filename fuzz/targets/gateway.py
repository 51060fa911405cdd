"""Clients of a gateway that send broken calls, messages of MCP and queries for events."""

from __future__ import annotations

import json
from dataclasses import dataclass
from random import Random
from typing import Final
from urllib.parse import quote_from_bytes

from werkzeug.test import Client, TestResponse

from fuzz.findings import Finding, Memory
from fuzz.generate import mutated
from lymph.config.printable import quoted
from lymph.core.container import ServiceContainer
from lymph.core.decorators import rpc
from lymph.core.interfaces import Interface
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem
from lymph.web.gateway import Gateway

__all__ = ['GatewayClients']

_META: Final = (
    b'"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28",'
    b'"io.modelcontextprotocol/clientCapabilities":{}}'
)
_CALL: Final = b'"method":"tools/call","params":{"name":"shop.total","arguments":'
_LINES: Final = b'{"lines":[{"article":"sock","price":2.5}],"tags":{"$set":["a"]}}'
#: paths, and bodies for them
_CORPUS: Final = {
    b'/api/shop/total': [_LINES, b'{"lines":[],"tags":[1e3,"\\ud800",null,true]}', b''],
    b'/api/shop/secret': [b'{}'],
    b'/api/mcp': [
        b'{"jsonrpc":"2.0","id":1,' + _CALL + _LINES + b'}}',
        b'{"jsonrpc":"2.0","id":"a",' + _CALL + _LINES + b',' + _META + b'}}',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"shop.secret"}}',
        b'[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"tools/list"}]',
        b'{"jsonrpc":"2.0","id":1,"method":"tools/list","params":{"cursor":"c2hvcC50b3RhbA=="}}',
        b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18"}}',
        b'{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}',
    ],
    b'/api/events': [b'type=shop.ordered&type=shop.paid', b'type=order.%23', b'type=' + b'a.' * 99],
}
_BODIES: Final = [body for bodies in _CORPUS.values() for body in bodies]
_VERSIONS: Final = ['', '2024-11-05', '2025-11-25', '2026-07-28']


@dataclass
class Line:
    """What an order consists of."""

    article: str
    price: float


class Shop(Interface):
    """A service with a method that is allowed, and one that is not."""

    reached = False

    @rpc(idempotent=True)
    def total(self, lines: list[Line], tags: set[str] | None = None) -> float:
        """Add up prices."""
        return sum(line.price for line in lines)

    @rpc(idempotent=True)
    def secret(self) -> None:
        """Must not be reached."""
        Shop.reached = True


class GatewayClients:
    """One request with whatever is in it; nothing that is not allowed may be reached."""

    def __init__(self) -> None:
        self._memory = Memory()
        self._container = ServiceContainer(
            MemoryTransport(network=MemoryNetwork()),
            StaticServiceRegistryHub().create_registry(),
            LocalEventSystem(),
        )
        section = {
            'allow': ['shop.total'],
            'events': ['shop.*', 'order.#'],
            'mcp': {'enabled': True},
        }
        self._container.install_interface(Shop, 'shop')
        gateway = self._container.install_interface(Gateway, 'api', None, section)
        self._container.start()
        self._client = Client(gateway.application)

    def attack(self, chance: Random) -> None:
        """Send one request."""
        path = chance.choice(list(_CORPUS))
        body = chance.choice(_CORPUS[path])
        if chance.random() < 0.9:
            body = mutated(chance, body, _BODIES)
        answer = self._send(path.decode(), body, chance.choice(_VERSIONS))
        if answer.status_code >= 500 and answer.status_code != 503:
            raise Finding(f'{quoted(body, 500)} was answered by {answer.status}')
        if answer.data:
            try:
                json.loads(answer.data)
            except ValueError:
                text = f'{quoted(body, 500)} was answered by {quoted(answer.data, 300)}'
                raise Finding(text) from None
        if Shop.reached:
            raise Finding(f'{quoted(body, 500)} has reached what is not allowed')

    def close(self) -> None:
        """End the service, and compare the memory with the beginning."""
        self._container.stop()
        self._memory.check()

    def _send(self, path: str, body: bytes, version: str) -> TestResponse:
        if path == '/api/events':
            # only the head: a stream has no end
            return self._client.head(path, query_string=quote_from_bytes(body, '&=%'))
        headers = {
            'Content-Type': 'application/json',
            'MCP-Protocol-Version': version,
            'Mcp-Method': 'tools/call',
            'Mcp-Name': 'shop.total',
        }
        if not version:
            del headers['MCP-Protocol-Version']
        return self._client.post(path, data=body, headers=headers)
