"""Services and methods that are known now or were a moment ago, without a wait that is felt.

A child of this process asks the registry and the services; what it finds goes through a pipe to
this process, as long as that waits, and into a file of the state directory for the next time. So an
answer that is late is there when the key is pressed again, and a registry that never answers costs
one short wait.

======================= ==================================================
what the file holds     what happens
======================= ==================================================
an answer, fresh        it is taken
an answer, or a failure the child is given what is left of `_USUAL`
nothing, or an old one  the child is given `_FIRST`
======================= ==================================================
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path

from lymph.cli._program.configuring import node_files
from lymph.cli.lazy import lazy
from lymph.cli.settings import Settings
from lymph.config import LymphError
from lymph.core._system.state import state_directory

__all__ = ['Known', 'Method', 'known']

#: Seconds since the start of the process, and at least from now on.
_USUAL = 0.24
_LEAST = 0.1
#: Seconds from now on when nothing has been asked before.
_FIRST = 1.0
#: Seconds for which an answer is taken without asking again, and for which it is of any use.
_FRESH = 2.0
_OLD = 3600.0
#: Seconds after which the child is ended.
_CHILD = 5
#: What text raises that `Known.dumps` did not write.
_DAMAGED = (ValueError, TypeError, KeyError, RecursionError)

_find = lazy('lymph.monkey:patch', 'lymph.cli._completing.finding:find')
_find_traces = lazy('lymph.monkey:patch', 'lymph.cli._completing.finding:find_traces')


@dataclass(frozen=True, slots=True)
class Method:
    """A method: `echo.upper`, the first line of its documentation, and names of parameters.

    Or a trace: its id, and what its first unit of work did.
    """

    name: str
    help: str = ''
    params: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """Names of services, and their methods and the latest traces if those were asked for."""

    services: tuple[str, ...] = ()
    methods: tuple[Method, ...] = field(default=())
    complete: bool = False  # whether the methods, or the traces, are all there
    traces: tuple[Method, ...] = field(default=())

    def dumps(self) -> str:
        """Return the JSON document that `loads` reads."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Known:
        """Return what `dumps` wrote; raises one of `_DAMAGED` for anything else."""
        data = json.loads(text)
        methods, traces = (
            tuple(
                Method(str(m['name']), str(m['help']), tuple(map(str, m['params'])))
                for m in data[key]
            )
            for key in ('methods', 'traces')
        )
        services = tuple(map(str, data['services']))
        return cls(services, methods, bool(data['complete']), traces)


def known(settings: Settings, methods: bool = False, traces: bool = False) -> Known:
    """Return the services, and the methods if they are wanted; nothing if nobody knows in time.

    With `traces`, the latest traces instead of the methods.
    """
    path = _path(settings, traces)
    methods = methods or traces
    found, age = _read(path)
    if found is not None and age < _FRESH and (found.complete or not methods):
        return found
    patience = _FIRST if found is None else max(_USUAL - _process_age(), _LEAST)
    find = _find_traces if traces else _find
    answer = _ask(find, settings, path, methods, time.monotonic() + patience)
    if answer is not None:
        return answer
    if found is None and path is not None:
        with contextlib.suppress(OSError), path.open('x') as file:  # the next time is short
            file.write(Known().dumps())
    return found or Known()


def _ask(
    find: Callable[[Settings], Iterator[Known]],
    settings: Settings,
    path: Path | None,
    methods: bool,
    end: float,
) -> Known | None:
    """Return what the child says until a moment, and leave it alone then."""
    ours, theirs = os.pipe()
    if os.fork() == 0:
        try:
            os.close(ours)
            _be_alone()
            _tell(find(settings), path, theirs)
        finally:
            # Whatever was raised: the child must never go on in the code of its parent.
            os._exit(0)
    # Otherwise reading from the pipe would not end when the child does.
    os.close(theirs)
    answer = None
    pending = b''
    with contextlib.suppress(*_DAMAGED):
        # The child sends a line with the services at once, and then a line with the methods.
        while answer is None or (methods and not answer.complete):
            if not select.select([ours], [], [], max(end - time.monotonic(), 0))[0]:
                break
            data = os.read(ours, 65536)
            if not data:
                break
            *lines, pending = (pending + data).split(b'\n')
            for line in lines:
                answer = Known.loads(line.decode())
    os.close(ours)
    return answer


def _be_alone() -> None:
    """Keep nothing of the shell open and outlive its end, but not for long."""
    os.setsid()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.alarm(_CHILD)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nowhere, descriptor)


def _tell(found: Iterator[Known], path: Path | None, to: int) -> None:
    last = None
    for last in found:
        with contextlib.suppress(OSError):  # nobody waits any more
            os.write(to, f'{last.dumps()}\n'.encode())
    if last is not None and path is not None:
        written = path.with_suffix(f'.{os.getpid()}')
        written.write_text(last.dumps())
        written.replace(path)
        _forget_old(path.parent)


def _path(settings: Settings, traces: bool) -> Path | None:
    """Return the file for what this configuration leads to, or None where none can be written."""
    files = (*node_files(), *settings.configuration_files(), *settings.variable_files())
    names = '\0'.join(os.path.abspath(file) for file in files)
    key = hashlib.sha256(names.encode(errors='surrogateescape')).hexdigest()[:32]
    try:
        return state_directory('completion') / f'{key}{".traces" if traces else ""}.json'
    except (LymphError, OSError):
        return None


def _read(path: Path | None) -> tuple[Known | None, float]:
    if path is not None:
        with contextlib.suppress(OSError, *_DAMAGED):
            age = time.time() - path.stat().st_mtime
            if abs(age) < _OLD:
                return Known.loads(path.read_text()), abs(age)
    return None, _OLD


def _forget_old(folder: Path) -> None:
    for path in folder.iterdir():
        with contextlib.suppress(OSError):
            if abs(time.time() - path.stat().st_mtime) > _OLD:
                path.unlink()


def _process_age() -> float:
    """Return the seconds for which this process has been running, as far as Linux tells."""
    try:
        fields = Path('/proc/self/stat').read_text().rpartition(')')[2].split()
        started = int(fields[19]) / os.sysconf('SC_CLK_TCK')
        return max(time.clock_gettime(time.CLOCK_BOOTTIME) - started, 0.0)
    except (AttributeError, IndexError, OSError, ValueError):
        return 0.0
