"""The addresses alone decide which event system `kombu` is."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.events.kombu import KombuEventSystem
from lymph.events.kombu._rabbitmq.system import RabbitmqEventSystem
from lymph.events.kombu._redis.system import RedisEventSystem


def build(**keys: Any) -> Any:
    config = Configuration({'events': keys})
    return config.create_instance('events', group='lymph.events')


@pytest.mark.parametrize('name', ['kombu', 'lymph.events.kombu:KombuEventSystem'])
@pytest.mark.parametrize(
    ('keys', 'kind'),
    [
        ({}, RabbitmqEventSystem),
        ({'urls': 'amqp://rabbit//'}, RabbitmqEventSystem),
        ({'transport': 'amqps', 'hostname': 'rabbit'}, RabbitmqEventSystem),
        ({'urls': ['redis://redis/0', 'redis://other/0']}, RedisEventSystem),
        ({'transport': 'rediss', 'hostname': 'redis'}, RedisEventSystem),
    ],
)
def test_the_addresses_choose_the_event_system(name: str, keys: dict[str, Any], kind: type) -> None:
    system = build(**{'class': name, **keys})
    assert type(system) is kind
    assert isinstance(system, KombuEventSystem)


@pytest.mark.parametrize(
    ('kind', 'url'), [(RabbitmqEventSystem, 'redis://h'), (RedisEventSystem, 'amqp://h')]
)
def test_each_kind_rejects_addresses_of_the_other(kind: Any, url: str) -> None:
    config = Configuration({'events': {'urls': url}})
    with pytest.raises(ConfigurationError, match=r'^events\.urls: expected .*; use class: kombu'):
        kind.from_config(config.view('events'))


def test_base_class_cannot_be_instantiated() -> None:
    with pytest.raises(TypeError, match='from_config, which chooses by the addresses'):
        KombuEventSystem()


class _Own(KombuEventSystem):
    pass


class _OwnRabbitmq(RabbitmqEventSystem):
    pass


class _OwnRedis(RedisEventSystem):
    pass


@pytest.mark.parametrize('url', ['amqp://h', 'redis://h'])
def test_subclass_that_inherits_from_config_is_an_error(url: str) -> None:
    config = Configuration({'events': {'urls': url}})
    with pytest.raises(ConfigurationError, match=r'^events\.class: .*_Own, a subclass .*; define'):
        _Own.from_config(config.view('events'))


@pytest.mark.parametrize(('kind', 'url'), [(_OwnRabbitmq, 'amqp://h'), (_OwnRedis, 'redis://h')])
def test_subclass_of_one_kind_creates_its_own_instances(kind: Any, url: str) -> None:
    config = Configuration({'events': {'urls': url}})
    assert type(kind.from_config(config.view('events'))) is kind
