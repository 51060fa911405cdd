"""A name server that does not answer, for the process of a test.

`SilentNames` replaces the functions that ask the system's resolver:

======================  ============================================================================
name                    answer
======================  ============================================================================
``*.silent``            none until `speak()`, then "not found"
``*.gone``              "not found"
``two.here``            127.0.0.2 and 127.0.0.1
any other               127.0.0.1
an address, backwards   none until `speak()`, then a name that ends in ``.example``
======================  ============================================================================
"""

from __future__ import annotations

import _socket
import socket
from collections import Counter
from typing import Any

from gevent.monkey import get_original

from lymph.testing.waiting import eventually

__all__ = ['SilentNames']

_allocate_lock = get_original('_thread', 'allocate_lock')
_PATIENCE = 30.0  # seconds after which a waiting thread goes on without `speak()`
_LOCAL = '127.0.0.1'


class SilentNames:
    """A context manager that replaces the system's resolver, and calls `speak()` at its end.

    `asked` counts the look-ups of each name; `waiting` is the number of threads without an answer.
    """

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        self.waiting = 0
        self._silence = _allocate_lock()
        self._silence.acquire()
        self._replaced: list[tuple[Any, str, Any]] = []
        self._numeric = _socket.getaddrinfo

    def speak(self) -> None:
        """Answer the waiting look-ups, and all later ones at once."""
        if self._silence.locked():
            self._silence.release()
        eventually(lambda: self.waiting == 0)

    def __enter__(self) -> SilentNames:
        for function in ('getaddrinfo', 'gethostbyaddr'):
            original = getattr(_socket, function)
            for module in (_socket, socket):
                if getattr(module, function) is original:
                    self._replaced.append((module, function, original))
                    setattr(module, function, getattr(self, f'_{function}'))
        return self

    def __exit__(self, *_: object) -> None:
        self.speak()
        while self._replaced:
            setattr(*self._replaced.pop())

    def _getaddrinfo(
        self, host: Any, port: Any, family: int = 0, type: int = 0, proto: int = 0, flags: int = 0
    ) -> list[Any]:
        """Stand in for `socket.getaddrinfo`. Raises `socket.gaierror` for names without address."""
        # No name server is asked for an address.
        if flags & socket.AI_NUMERICHOST:
            return self._numeric(host, port, family, type, proto, flags)
        name = (host if isinstance(host, bytes) else host.encode('idna')).decode()
        self.asked[name] += 1
        if name.endswith('.silent'):
            self._wait()
        if name.endswith(('.silent', '.gone')):
            raise socket.gaierror(socket.EAI_NONAME, 'Name or service not known')
        found = ('127.0.0.2', _LOCAL) if name == 'two.here' else (_LOCAL,)
        kind = type or socket.SOCK_STREAM
        return [(socket.AF_INET, kind, 0, '', (number, port or 0)) for number in found]

    def _gethostbyaddr(self, name: str) -> tuple[str, list[str], list[str]]:
        self._wait()
        return f'{name}.example', [], [_LOCAL]

    def _wait(self) -> None:
        self.waiting += 1
        if self._silence.acquire(True, _PATIENCE):
            self._silence.release()
        self.waiting -= 1
