"""The embedded event system on damaged files: it works, or says in one error what is wrong."""

from __future__ import annotations

import tempfile
from pathlib import Path
from random import Random

import gevent

from fuzz.findings import Finding, Memory
from fuzz.generate import mutated
from lymph.core.events import Event
from lymph.events.base import Subscription
from lymph.events.embedded import EmbeddedEventSystem
from lymph.exceptions import LymphError

__all__ = ['EventFiles']

_PATIENCE = 60.0  # seconds
_DAMAGE = 4096  # bytes that are changed in one place


class EventFiles:
    """A database with events in it is damaged, then opened, consumed and written to."""

    def __init__(self) -> None:
        self._memory = Memory()
        with tempfile.TemporaryDirectory() as folder:
            system = EmbeddedEventSystem(folder)
            system.on_start()
            system.declare(Subscription('queue', ('thing',), print))
            for number in range(50):
                system.emit(Event('thing', {'number': number, 'text': 'x' * 200}))
            system.on_stop()
            self._files = {
                path.relative_to(folder): path.read_bytes()
                for path in Path(folder).rglob('*')
                if path.is_file()
            }

    def attack(self, chance: Random) -> None:
        """Damage one file and use them all."""
        with tempfile.TemporaryDirectory() as folder:
            damaged = chance.choice(list(self._files))
            for name, data in self._files.items():
                path = Path(folder, name)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(_damage(chance, data) if name == damaged else data)
            with gevent.Timeout(_PATIENCE, Finding(f'nothing comes of a damaged {damaged}')):
                self._use(folder)

    def close(self) -> None:
        """Compare the memory with the beginning."""
        self._memory.check()

    @staticmethod
    def _use(folder: str) -> None:
        system = EmbeddedEventSystem(folder)
        handled: list[Event] = []
        try:
            system.on_start()
            system.subscribe(Subscription('queue', ('thing',), handled.append))
            system.emit(Event('thing', {'number': -1}))
            gevent.sleep(0)
        except LymphError:
            pass
        finally:
            system.on_stop()
            system.workers.kill()  # its own, since it is part of no container


def _damage(chance: Random, data: bytes) -> bytes:
    at = chance.randint(0, max(len(data) - 1, 0))
    part = mutated(chance, data[at : at + _DAMAGE])
    return data[:at] + part + data[at + _DAMAGE :]
