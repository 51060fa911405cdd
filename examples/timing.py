"""A plugin that counts how long work takes, as a histogram among the metrics of the process.

A bucket counts the work that took at most `le` seconds, so buckets of several processes add up.
"""

from __future__ import annotations

import bisect
import time
from collections import Counter

import lymph

BUCKETS = (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10)  # seconds


class Timing(lymph.Plugin, lymph.Interceptor):
    kinds = ('rpc', 'event', 'task', 'http')

    def __init__(self, container, config=None):
        super().__init__(container, config)
        self.counts = {}  # (kind, name) -> number of the first bucket that fits -> count

    def on_start(self):
        self.metrics.add(self)

    def on_stop(self):
        self.metrics.remove(self)

    def intercept(self, work, proceed):
        started = time.monotonic()
        try:
            return proceed()
        finally:
            counts = self.counts.setdefault((work.kind, work.name), Counter())
            counts[bisect.bisect_left(BUCKETS, time.monotonic() - started)] += 1

    def __iter__(self):
        for (kind, name), counts in self.counts.items():
            total = 0
            for number, limit in enumerate((*BUCKETS, 'inf')):
                total += counts[number]
                yield 'work.seconds', total, {'kind': kind, 'name': name, 'le': str(limit)}
