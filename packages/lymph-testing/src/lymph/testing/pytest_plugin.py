"""The pytest plugin of lymph: its fixtures.

Every pytest run of an environment that has lymph-testing imports it, so it imports next to nothing:
what a fixture needs is loaded by the first test that uses it.
"""

from __future__ import annotations

from lymph.testing.servers.fixtures import rabbitmq_server, redis_server, zookeeper_server

__all__ = ['rabbitmq_server', 'redis_server', 'zookeeper_server']
