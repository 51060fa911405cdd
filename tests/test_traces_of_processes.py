"""Spans of real processes reach a collector, also while their loops are busy."""

from __future__ import annotations

import contextlib
import json
import re
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

TESTS = Path(__file__).parent
LYMPH = Path(sys.executable).parent / 'lymph'
TRACE, SPAN = '4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'
WAIT = 30.0

Start = Callable[..., 'Process']

#: makes spans, then blocks the loop until the collector has printed them
BUSY = """
import lymph.monkey
lymph.monkey.patch()
import sys
import threading
import time
import gevent
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryTransport
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.null import NullEventSystem
from lymph.plugins.opentelemetry import OpenTelemetry

container = ServiceContainer(MemoryTransport(), StaticServiceRegistry(), NullEventSystem(),
                             ContainerSettings(block_threshold=0, drain_timeout=0))
plugin = container.install_plugin(OpenTelemetry, {
    'endpoint': sys.argv[1], 'headers': {'X-Tenant': 'ada'}, 'service_name': 'busy',
    'flush_timeout': 1.0})
container.start()
tracer = plugin.provider.get_tracer('test')
locks = [threading.Lock() for _ in range(3)]

def work(lock):
    for number in range(1000):
        with lock, tracer.start_as_current_span('step'):
            if number % 100 == 0:
                time.sleep(0)

gevent.joinall([gevent.spawn(work, lock) for lock in locks * 2], raise_error=True)
end = time.monotonic() + float(sys.argv[2])
while time.monotonic() < end:
    pass
print('free', flush=True)
container.stop()
print('stopped', flush=True)
"""


class Process:
    """A process, and the lines that it has printed."""

    def __init__(self, *command: object, **options: Any) -> None:
        self.lines: list[str] = []
        self.process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            **options,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.append(line.rstrip('\n'))

    def until(self, found: Callable[[list[str]], Any]) -> Any:
        """Wait for something in the lines, and return it."""
        end = time.monotonic() + WAIT
        while not (result := found(self.lines)):
            assert time.monotonic() < end, '\n'.join(self.lines[-50:])
            time.sleep(0.02)
        return result

    def line(self, pattern: str) -> re.Match[str]:
        """Wait for a line that has a pattern."""
        found: re.Match[str] = self.until(
            lambda lines: next(filter(None, (re.search(pattern, line) for line in lines)), None)
        )
        return found

    def end(self) -> int:
        """End the process; return its exit code."""
        self.process.terminate()
        code = self.process.wait(WAIT)
        self._reader.join(WAIT)
        return code


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return a function that starts a process."""
    with contextlib.ExitStack() as running:

        def start(*command: object, **options: Any) -> Process:
            process = Process(*command, **options)
            running.callback(process.process.wait, WAIT)
            running.callback(process.process.kill)
            return process

        yield start


def start_collector(start: Start, *options: str) -> tuple[Process, str]:
    """Start a collector; return it and its URL."""
    collector = start(sys.executable, TESTS / 'collector_program.py', *options)
    return collector, f'http://127.0.0.1:{collector.line("^([0-9]+)$")[1]}'


def spans_in(lines: list[str]) -> list[dict[str, Any]]:
    """Return the spans that a collector has printed, by their start."""
    found: list[dict[str, Any]] = [json.loads(line) for line in lines if line.startswith('{')]
    return sorted(found, key=lambda span: span['start'])


def test_one_trace_over_http_call_event_retry_and_task(start: Start, tmp_path: Path) -> None:
    collector, url = start_collector(start)
    for name, cls, keys in (('shop', 'Shop', {'port': 0}), ('stock', 'Stock', {})):
        config = {
            'container': {'drain_timeout': 1.0},
            'plugins': {'opentelemetry': {'endpoint': url}},
            'interfaces': {name: {'class': f'traced_program:{cls}', **keys}},
        }
        (tmp_path / f'{name}.yml').write_text(yaml.safe_dump(config))
    (tmp_path / 'state').mkdir(mode=0o700)
    options: dict[str, Any] = {
        'cwd': tmp_path,
        'env': {
            'PYTHONPATH': str(TESTS),
            'HOME': str(tmp_path),
            'LYMPH_STATE_DIR': str(tmp_path / 'state'),
            'OTEL_BSP_SCHEDULE_DELAY': '100',
        },
    }
    services = [
        start(LYMPH, 'instance', '--config=shop.yml', **options),
        start(LYMPH, 'instance', '--config=stock.yml', **options),
        start(LYMPH, 'worker', '--config=stock.yml', **options),
    ]
    port = services[0].line(r'http://127\.0\.0\.1:(\d+)')[1]
    for service in services[1:]:
        service.line('(?i)stock.* (at|serves|runs|tcp)')
    request = urllib.request.Request(
        f'http://127.0.0.1:{port}/buy', headers={'traceparent': f'00-{TRACE}-{SPAN}-01'}
    )
    with urllib.request.urlopen(request, timeout=WAIT) as answer:
        assert answer.read() == b'taken'
    spans = collector.until(lambda lines: len(spans_in(lines)) >= 8 and spans_in(lines))
    ids = [span['id'] for span in spans]
    assert [(span['service'], span['name'], span['parent']) for span in spans] == [
        ('shop', 'GET /buy', SPAN),
        ('shop', 'stock.take', ids[0]),
        ('stock', 'stock.take', ids[1]),
        ('stock', 'send stock.taken', ids[2]),
        ('stock', 'process stock.on_taken', ids[3]),
        ('stock', 'process stock.on_taken', ids[3]),
        ('stock', 'send lymph.task.stock.bill', ids[5]),
        ('stock', 'process stock.bill', ids[6]),
    ]
    assert spans[5]['links'] == [ids[4]]
    assert [span['failed'] for span in spans] == [False] * 4 + [True] + [False] * 3
    assert {span['trace'] for span in spans} == {TRACE}
    assert [service.end() for service in services] == [0, 0, 0]
    assert len(spans_in(collector.lines)) == 8


def test_spans_are_exported_while_the_loop_is_blocked(start: Start) -> None:
    collector, url = start_collector(start)
    program = start(sys.executable, '-c', BUSY, url, '60')
    spans = collector.until(lambda lines: len(spans_in(lines)) >= 2048 and spans_in(lines))
    assert 'free' not in program.lines
    assert {(span['service'], span['path'], span['field']) for span in spans} == {
        ('busy', '/v1/traces', 'ada')
    }
    assert len({span['id'] for span in spans}) == len(spans)


@pytest.mark.parametrize('away', ['stalls', 'is not there'])
def test_collector_that_does_not_answer_holds_up_no_stop(start: Start, away: str) -> None:
    url = start_collector(start, '--stall')[1] if away == 'stalls' else 'http://127.0.0.1:1'
    started = time.monotonic()
    program = start(sys.executable, '-c', BUSY, url, '0')
    assert program.process.wait(WAIT) == 0, program.lines
    assert time.monotonic() - started < 15
    # whether the exporter tries again for a while, or gives up at once, depends on its version
    program.line('the collector did not take all spans|spans cannot be exported')
