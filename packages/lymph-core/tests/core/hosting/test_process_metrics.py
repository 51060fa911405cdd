from __future__ import annotations

import gc
import os
import resource
import subprocess
import sys
import time

import pytest

from lymph.core._hosting import process_metrics
from lymph.core._hosting.process_metrics import ProcessMetrics
from lymph.core.monitoring.descriptions import description
from lymph.testing.waiting import eventually


def read(metrics=None):
    return {
        (name, *tags.values()) if name == 'lymph.info' or tags else name: value
        for name, value, tags in metrics or ProcessMetrics(lambda: 7)
    }


def test_each_metric_is_described():
    for name, _, tags in ProcessMetrics(int):
        described = description(name)
        assert described is not None
        assert set(described.tags) == set(tags)


def test_processor_time_grows_with_use():
    before = read()
    end = time.process_time() + 0.1
    while time.process_time() < end:
        pass
    after = read()
    assert after['process.cpu'] >= before['process.cpu'] + 0.09
    assert after['process.cpu'] == pytest.approx(
        after['process.cpu_user'] + after['process.cpu_system'], abs=0.01
    )


def test_memory_grows_with_use():
    before = read()['process.memory']
    held = bytearray(b'a') * 50_000_000
    assert read()['process.memory'] > before + len(held) // 2


def test_descriptors_are_counted():
    before = read()['process.descriptors']
    reading, writing = os.pipe()
    try:
        assert read()['process.descriptors'] == before + 2
    finally:
        os.close(reading)
        os.close(writing)
    assert read()['process.max_descriptors'] == resource.getrlimit(resource.RLIMIT_NOFILE)[0]


def test_the_collector_is_counted_by_generation():
    before = read()
    gc.collect()
    after = read()
    assert after['process.gc_collections', '2'] == before['process.gc_collections', '2'] + 1
    for generation in '012':
        assert ('process.gc_collected', generation) in after
        assert ('process.gc_uncollectable', generation) in after


def test_the_start_and_the_threads_are_those_of_the_process():
    code = (
        'import time, sys; from lymph.core._hosting.process_metrics import ProcessMetrics\n'
        'found = {name: value for name, value, _ in ProcessMetrics(int)}\n'
        'print(found["process.start_time"], found["process.threads"])\n'
    )
    now = time.time()
    started, threads = subprocess.check_output([sys.executable, '-c', code]).split()
    assert float(started) == pytest.approx(now, abs=5)
    assert int(threads) == 1


def test_versions_are_tags():
    (key,) = [each for each in read() if each[0] == 'lymph.info']
    assert key[2] == '.'.join(map(str, sys.version_info[:3]))
    assert read()[key] == 1


def test_a_system_without_proc_tells_what_it_can(monkeypatch):
    monkeypatch.setattr(process_metrics, '_STAT', '/nonexistent/stat')
    found = read()
    assert found['process.memory'] > 1_000_000
    assert found['process.threads'] >= 1
    assert found['process.start_time'] <= time.time()
    assert 'process.virtual_memory' not in found


def test_greenlets_are_those_of_the_container(world):
    container = world.container()

    def count():
        return read(container.metrics)['process.greenlets']

    before = count()
    waiting = container.spawn(world.container)
    assert count() == before + 1
    waiting.join()
    eventually(lambda: count() == before)
