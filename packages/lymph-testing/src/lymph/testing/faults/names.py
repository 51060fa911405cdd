"""A name server that says nothing, for the process that a test runs in.

`SilentNames` takes the place of what asks the system's resolver. Until `speak()`, names that end
in ``.silent`` get no answer; they are not found afterwards. Names that end in ``.gone`` are never
found. All others are this machine, ``two.here`` with 127.0.0.2 in front. The name of an address
gets no answer until `speak()` either, and then ends in ``.example``.
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
_PATIENCE = 30.0  # seconds after which a thread is let go although nobody spoke
_LOCAL = '127.0.0.1'


class SilentNames:
    """A context: within it, the system's resolver is replaced; it speaks at the end."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()  # by name
        self.waiting = 0  # threads without an answer
        self._silence = _allocate_lock()
        self._silence.acquire()
        self._replaced: list[tuple[Any, str, Any]] = []
        self._numeric = _socket.getaddrinfo

    def speak(self) -> None:
        """Answer what was asked, and at once whatever is asked from now on."""
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
