"""Which servers are measured, how each is started, and the target ratios."""

from __future__ import annotations

import ssl
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bench import cores
from bench.cli.runs import user_environ
from bench.http.slices import Load, Result, measure
from bench.rpc.subjects.zerorpc import free_port
from bench.targets import Target
from lymph.testing.waiting import eventually

__all__ = ['BARE', 'LYMPH', 'TARGETS', 'Server', 'standing']

BARE, LYMPH, _UNLOGGED, _TLS = 'pywsgi', 'lymph', 'lymph, no access log', 'lymph, TLS'
_FASTAPI = 'FastAPI on uvicorn'

_PATIENCE = 60.0  # seconds until a server answers
_BIN = Path(sys.executable).parent
_ROOT = Path(__file__).parents[2]
_SUBJECTS = 'bench.http.subjects'

_Words = Callable[[Path, int], list[str]]  # of a command: given a folder and a port


TARGETS = (
    Target(64, 'rate', LYMPH, BARE, 1.5),
    Target(1, 'rate', LYMPH, BARE, 1.0),
    Target(64, 'cost', LYMPH, _FASTAPI, 1.0, at_least=False),
    Target(64, 'cost', LYMPH, _UNLOGGED, 1.1, at_least=False),
)


@dataclass(frozen=True)
class Server:
    """A server that stands ready at `url`; `pid` is the first of its processes."""

    name: str
    url: str
    pid: int

    def measure(self, load: Load) -> Result:
        """Measure one slice."""
        return measure(load, self.url, self.pid)


@contextmanager
def standing() -> Iterator[list[Server]]:
    """Have all servers run, each with one process that answers, all of them on the same core."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix='lymph-bench-')))
        yield [_start(stack, folder, name, words) for name, words in _COMMANDS.items()]


def _lymph(folder: Path, port: int, keys: str = '', more: str = '') -> list[str]:
    file = folder / f'lymph-{port}.yml'
    site = f'class: "{_SUBJECTS}.lymph_site:Site", ip: 127.0.0.1, port: {port}{keys}'
    file.write_text(f'interfaces: {{site: {{{site}}}}}\n{more}')
    return [f'{_BIN}/lymph', 'instance', '--isolated', '--config', str(file)]


def _lymph_tls(folder: Path, port: int) -> list[str]:
    certificate, key = folder / 'certificate.pem', folder / 'key.pem'
    words = ['openssl', 'req', '-x509', '-nodes', '-subj', '/CN=localhost', '-newkey', 'ec']
    words += ['-pkeyopt', 'ec_paramgen_curve:prime256v1', '-keyout', str(key)]
    words += ['-out', str(certificate)]
    subprocess.run(words, capture_output=True, check=True)
    return _lymph(folder, port, f', tls: {{certificate: "{certificate}", key: "{key}"}}')


def _nameko(folder: Path, port: int) -> list[str]:
    file = folder / 'nameko.yml'
    file.write_text(f'WEB_SERVER_ADDRESS: "127.0.0.1:{port}"\n')
    return [f'{_BIN}/nameko', 'run', '--config', str(file), f'{_SUBJECTS}.nameko_site']


def _module(name: str, *arguments: str) -> _Words:
    return lambda _, port: [sys.executable, '-m', f'{_SUBJECTS}.{name}', str(port), *arguments]


def _gunicorn(_folder: Path, port: int) -> list[str]:
    words = [f'{_BIN}/gunicorn', f'--bind=127.0.0.1:{port}', '--workers=1']
    return [*words, '--worker-class=gevent', _ROUTED_APPLICATION]


def _granian(interface: str, application: str) -> _Words:
    return lambda _, port: [
        *(f'{_BIN}/granian', '--port', str(port), '--workers', '1', '--runtime-threads', '1'),
        *('--interface', interface, application),
    ]


def _uvicorn(*options: str) -> _Words:
    return lambda _, port: [
        *(f'{_BIN}/uvicorn', f'--port={port}', '--http=httptools', '--loop=uvloop', *options),
        _FASTAPI_APPLICATION,
    ]


_QUIET = 'logging: {loggers: {lymph.web.access: {level: WARNING}}}\n'
_ROUTED_APPLICATION = f'{_SUBJECTS}.routed:application'
_FASTAPI_APPLICATION = f'{_SUBJECTS}.fastapi_site:application'
_COMMANDS: dict[str, _Words] = {
    LYMPH: _lymph,
    _UNLOGGED: partial(_lymph, more=_QUIET),
    _TLS: _lymph_tls,
    BARE: _module('pywsgi'),
    'pywsgi, werkzeug': _module('pywsgi', 'werkzeug'),
    'gunicorn gevent, werkzeug': _gunicorn,
    'granian WSGI, werkzeug': _granian('wsgi', _ROUTED_APPLICATION),
    'nameko': _nameko,
    'aiohttp': _module('aiohttp_site'),
    _FASTAPI: _uvicorn('--no-access-log'),
    f'{_FASTAPI}, access log': _uvicorn(),
    'FastAPI on granian': _granian('asgi', _FASTAPI_APPLICATION),
}


def _start(stack: ExitStack, folder: Path, name: str, words: _Words) -> Server:
    """Run a server until the end, its output in a file, and wait until it answers."""
    port = free_port()
    output = stack.enter_context((folder / f'{port}.log').open('wb'))
    process = subprocess.Popen(
        [*cores.on(cores.SERVER), *words(folder, port)],
        env=user_environ({'PYTHONPATH': str(_ROOT), 'LYMPH_STATE_DIR': str(folder / 'state')}),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
    )
    stack.callback(_end, process)
    scheme = 'https' if name == _TLS else 'http'
    server = Server(name, f'{scheme}://127.0.0.1:{port}/hello/world', process.pid)
    eventually(partial(_answers, server, process, Path(output.name)), _PATIENCE, name)
    return server


def _answers(server: Server, process: subprocess.Popen[bytes], output: Path) -> bool:
    if process.poll() is not None:
        said = output.read_text(errors='replace')
        raise RuntimeError(f'{server.name} ended with exit code {process.returncode}\n{said}')
    try:
        trusting = ssl._create_unverified_context()  # noqa: SLF001 - wrk trusts anybody too
        with urllib.request.urlopen(server.url, timeout=_PATIENCE, context=trusting) as answer:
            return bool(answer.read() == b'hello world')
    except urllib.error.URLError:
        return False


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_PATIENCE)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
