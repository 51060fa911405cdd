"""A service on ACME's own registry and events: a call and an event, from one process to itself."""

from __future__ import annotations

from gevent.event import AsyncResult

import lymph
from lymph.config import Configuration
from lymph.core.container import ServiceContainer

__all__ = ['Greeter', 'main']


class Greeter(lymph.Interface):
    """Greets, and receives greetings."""

    heard: AsyncResult

    @lymph.rpc()
    def greet(self, name: str) -> str:
        """Greet somebody, and tell the others."""
        self.emit('greeted', {'name': name})
        return f'hello {name}'

    @lymph.event('greeted')
    def on_greeted(self, event: lymph.Event) -> None:
        self.heard.set(event['name'])


def main() -> None:
    """Print which backends are in use, the result of a call, and what its event said."""
    config = Configuration(
        {'container': {'registry': {'class': 'acme'}, 'events': {'class': 'acme'}}}
    )
    container = ServiceContainer.from_config(config.get('container'))
    greeter = container.install_interface(Greeter, name='greeter')
    greeter.heard = AsyncResult()
    container.start()
    try:
        print(type(container.registry).__name__, type(container.events).__name__)
        print(container.request('greeter', 'greeter.greet', {'name': 'you'}, timeout=10))
        print(greeter.heard.get(timeout=10))
    finally:
        container.stop()
