"""Which command lines are measured, what they call, and which ratios are aimed at."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench.cli.runs import Command, user_environ
from bench.rpc.subjects.zerorpc import free_port
from lymph.testing._servers.rabbitmq import RabbitmqServer
from lymph.testing.waiting import eventually

__all__ = ['BASE', 'TARGETS', 'Target', 'standing']

BASE = 'python -c pass'

_PATIENCE = 60.0  # seconds until a service answers
_BIN = Path(sys.executable).parent

_LYMPH = """
import lymph


class Echo(lymph.Interface):
    @lymph.rpc()
    def upper(self, text):
        return text.upper()
"""
_ZERORPC = """
class Echo:
    def upper(self, text):
        return text.upper()
"""
_NAMEKO = """
from nameko.rpc import rpc


class Echo:
    name = 'echo'

    @rpc
    def upper(self, text):
        return text.upper()
"""
_FASTSTREAM = """
from faststream import FastStream
from faststream.rabbit import RabbitBroker

broker = RabbitBroker('{url}')
app = FastStream(broker)


@broker.subscriber('upper')
async def upper(text: str) -> str:
    return text.upper()
"""


@dataclass(frozen=True)
class Target:
    """How many times the processor time of `python -c pass` a command may take."""

    command: str
    limit: float


TARGETS = (
    Target('lymph --help', 5.0),
    Target('lymph list', 5.0),
    Target('lymph discover', 16.0),
    Target('lymph request', 16.0),
)


@contextmanager
def standing() -> Iterator[list[Command]]:
    """Have all commands ready, and running what they call."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='lymph-bench-')))
        server = stack.enter_context(RabbitmqServer())
        commands = [
            Command(BASE, [sys.executable, '-c', 'pass']),
            *_lymph(folder, stack),
            *_zerorpc(folder, stack),
            *_nameko(folder, stack, server.url),
            *_faststream(folder, stack, server.url),
        ]
        for command in commands:
            eventually(partial(_works, command), _PATIENCE, command.name)
            command.check()
        yield commands


def _works(command: Command) -> bool:
    try:
        command.check()
    except RuntimeError:
        return False
    return True


def _lymph(folder: Path, stack: ExitStack) -> list[Command]:
    (folder / 'lymph_echo.py').write_text(_LYMPH)
    (folder / 'echo.yml').write_text('interfaces: {echo: {class: "lymph_echo:Echo"}}\n')
    environ = {'LYMPH_STATE_DIR': str(folder / 'state')}
    words = [str(_BIN / 'lymph')]
    _start(stack, folder, [*words, 'instance', '--config=echo.yml'], environ)
    call = [*words, 'request', 'echo.upper', 'text=foo']
    return [
        Command('lymph --help', [*words, '--help'], 'Usage', environ=environ),
        Command('lymph list', [*words, 'list'], 'request', environ=environ),
        Command('lymph discover', [*words, 'discover'], 'echo', environ=environ),
        Command('lymph request', call, 'FOO', environ=environ),
    ]


def _zerorpc(folder: Path, stack: ExitStack) -> list[Command]:
    (folder / 'zerorpc_echo.py').write_text(_ZERORPC)
    endpoint = f'tcp://127.0.0.1:{free_port()}'
    words = [str(_BIN / 'zerorpc')]
    _start(stack, folder, [*words, '--server', '--bind', endpoint, 'zerorpc_echo.Echo'], {})
    return [
        Command('zerorpc --help', [*words, '--help'], 'usage'),
        # a call that lists the methods: what others return it cannot print since Python 3.10
        Command('zerorpc ADDRESS', [*words, endpoint], 'upper'),
    ]


def _nameko(folder: Path, stack: ExitStack, url: str) -> list[Command]:
    (folder / 'nameko_echo.py').write_text(_NAMEKO)
    call = folder / 'call.py'
    call.write_text("print(n.rpc.echo.upper('foo'))\n")
    words = [str(_BIN / 'nameko')]
    _start(stack, folder, [*words, 'run', '--broker', url, 'nameko_echo'], {})
    return [
        Command('nameko --help', [*words, '--help'], 'usage'),
        Command('nameko shell, a call', [*words, 'shell', '--broker', url], 'FOO', stdin=call),
    ]


def _faststream(folder: Path, stack: ExitStack, url: str) -> list[Command]:
    (folder / 'faststream_echo.py').write_text(_FASTSTREAM.format(url=url))
    words = [str(_BIN / 'faststream')]
    _start(stack, folder, [*words, 'run', 'faststream_echo:app'], {})
    call = [*words, 'publish', 'faststream_echo:app', '"foo"', '--queue', 'upper', '--rpc']
    return [
        Command('faststream --help', [*words, '--help'], 'Usage'),
        Command('faststream publish --rpc', call, 'FOO', folder=folder),
    ]


def _start(stack: ExitStack, folder: Path, words: Sequence[str], environ: dict[str, str]) -> None:
    """Run a service in the folder until the end."""
    process = subprocess.Popen(
        words,
        cwd=folder,
        env=user_environ({'PYTHONPATH': str(folder), **environ}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    stack.callback(process.wait)
    stack.callback(process.kill)
