"""Configuration files with anything in them: each is used, or refused in one line."""

from __future__ import annotations

import io
from random import Random

from fuzz.findings import Finding, Memory, watched
from fuzz.generate import mutated
from lymph.config import Configuration, ConfigurationError
from lymph.config.printable import quoted
from lymph.core.container import ServiceContainer
from lymph.exceptions import LymphError

__all__ = ['ConfigurationFiles']

_CORPUS = [
    b'container:\n    ip: 127.0.0.1\n    port: 0\n    pool_size: 10\n    drain_timeout: 5\n'
    b'    registry: {class: static}\n    events: {class: "null"}\n'
    b'    rpc: {timeout: 1, retries: 2, transport: zmtp, max_message_size: 100000}\n',
    b'container:\n    registry:\n        class: static\n        services:\n'
    b'            echo: [{endpoint: "tcp://127.0.0.1:1", version: 1.0.0}]\n'
    b'    events: {class: local}\n',
    b'interfaces:\n    echo:\n        class: echo:Echo\n        text: "$(env.HOME) $(var.a)"\n',
    b'a: &a [1, 2]\nb: *a\nc: !!int ""\nd: !!python/object:os.system {}\n',
    b'a: &a {x: &b [*a, *b]}\n',
    b'logging:\n    version: 1\n    root: {level: .inf, handlers: [console]}\n',
    b'? [1, 2]\n: {3: 4}\n"a": "\\x00\\uD800"\nnumber: 0x_ff\nbig: 1e999999\nday: 2026-13-01\n',
    b'%YAML 1.1\n---\na: 1\n---\nb: 2\n',
    b'',
]
_LONGEST = 200_000  # bytes; reading YAML costs far more for a byte than anything else here
_PYYAML = 200  # times what another byte costs


class ConfigurationFiles:
    """A file is loaded and a container made of it."""

    def __init__(self) -> None:
        self._memory = Memory()

    def attack(self, chance: Random) -> None:
        """Load one file; only errors of the configuration may come of it, of one line each."""
        data = chance.choice(_CORPUS)
        if chance.random() < 0.95:
            data = mutated(chance, data, _CORPUS)[:_LONGEST]
        with watched(data * _PYYAML):
            try:
                config = Configuration()
                config.load(io.BytesIO(data))
                section = config.view('container')
                ServiceContainer.from_config(section)
            except ConfigurationError as error:
                _check(error, data)
            except LymphError as error:
                raise Finding(f'{quoted(data, 500)} ends in {error!r}') from error

    def close(self) -> None:
        """Compare the memory with the beginning."""
        self._memory.check()


def _check(error: ConfigurationError, data: bytes) -> None:
    text = str(error)
    if not text.isprintable() or len(text) > 1000:
        raise Finding(f'{quoted(data, 500)} is refused with {quoted(text, 1000)}')
