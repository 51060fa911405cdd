"""Fixtures for pytest: one server of each kind per test run, started on first use."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from lymph.testing import servers

if TYPE_CHECKING:
    from lymph.testing._servers.rabbitmq import RabbitmqServer
    from lymph.testing._servers.redis import RedisServer
    from lymph.testing._servers.zookeeper import ZookeeperServer

__all__ = ['rabbitmq_server', 'redis_server', 'zookeeper_server']


@pytest.fixture(scope='session')
def zookeeper_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ZookeeperServer]:
    """A running `ZookeeperServer` for the whole test run."""
    with servers.ZookeeperServer(tmp_path_factory.mktemp('zookeeper')) as server:
        yield server


@pytest.fixture(scope='session')
def rabbitmq_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitmqServer]:
    """A running `RabbitmqServer` for the whole test run."""
    with servers.RabbitmqServer(tmp_path_factory.mktemp('rabbitmq')) as server:
        yield server


@pytest.fixture(scope='session')
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A running `RedisServer` for the whole test run."""
    with servers.RedisServer(tmp_path_factory.mktemp('redis')) as server:
        yield server
