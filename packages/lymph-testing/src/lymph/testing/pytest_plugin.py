"""The pytest plugin of lymph: its fixtures.

Every pytest run in an environment with lymph-testing imports it. It imports almost nothing: what a
fixture needs is imported by the first test that uses it.
"""

from __future__ import annotations

from lymph.testing._servers.fixtures import rabbitmq_server, redis_server, zookeeper_server

__all__ = ['rabbitmq_server', 'redis_server', 'zookeeper_server']
