"""A service under attack in a process of its own, and its well-behaved caller."""

from __future__ import annotations

import subprocess
import sys

import gevent

from fuzz.findings import Finding, allowance
from lymph.client import Client
from lymph.config import Configuration
from lymph.exceptions import RpcError

__all__ = ['Standing']

_WAIT = 60.0  # seconds for a call to a process that may have to share its processor with many
_GROWTH = 96 * 1024 * 1024  # bytes


class Standing:
    """Starts the service, watches that it goes on, and ends it."""

    def __init__(self, transport: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, '-m', 'fuzz.attacked', transport],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._process.stdout is not None
        words = self._process.stdout.readline().split()
        if len(words) != 2:
            raise Finding(f'the service did not start: exit status {self._process.wait()}')
        self.endpoint, port = words
        self.host, rpc_port = self.endpoint.removeprefix('tcp://').rsplit(':', 1)
        self.rpc_port, self.http_port = int(rpc_port), int(port)
        self._client = Client.from_config(
            Configuration(
                {
                    'container': {
                        'registry': {'class': 'static'},
                        'events': {'class': 'null'},
                        'rpc': {'transport': transport},
                    }
                }
            )
        )
        for _ in range(20):
            self.check(0)  # whatever is loaded on first use is loaded now
        self._memory = self._report()['memory']

    def check(self, size: int) -> None:
        """Raise Finding unless the service answers, and has not stood still for long.

        `size` is how many bytes it had to read since the last check.
        """
        answer = self.call('probe.echo', value=size)
        if answer != size:
            raise Finding(f'echo({size}) returned {answer!r}')
        longest = self._report()['longest_turn']
        if size and longest > allowance(size):
            raise Finding(f'the loop stood still for {longest:.2f} s over {size} bytes')

    def call(self, subject: str, **arguments: object) -> object:
        """Call the service as one of its users; raises Finding when that fails."""
        try:
            return self._client.request(self.endpoint, subject, arguments, timeout=_WAIT)
        except RpcError as error:
            status = self._process.poll()
            if status is not None:
                raise Finding(f'the service ended with exit status {status}') from error
            raise Finding(f'a well-behaved caller was told: {error!r}') from error

    def close(self) -> None:
        """End the service; raises Finding when it kept memory or does not end well."""
        try:
            gevent.sleep(1)  # links of attackers that have left are noticed meanwhile
            grown = self._report()['memory'] - self._memory
            if grown > _GROWTH:
                raise Finding(f'the service holds {grown / 1e6:.0f} MB more than before')
        finally:
            self._client.close()
            self._process.communicate()
        if self._process.returncode:
            raise Finding(f'the service ended with exit status {self._process.returncode}')

    def _report(self) -> dict[str, float]:
        report = self.call('probe.report')
        assert isinstance(report, dict)
        return report
