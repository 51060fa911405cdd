"""The section of the configuration: valid values, and the errors of invalid ones."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.events.kombu._connecting.settings import Addresses
from lymph.events.kombu._rabbitmq.settings import RabbitmqSettings
from lymph.events.kombu._redis.brokers import RedisBroker
from lymph.events.kombu._redis.settings import RedisSettings


def read(**keys: Any) -> Any:
    config = Configuration({'container': {'events': {'class': 'kombu', **keys}}})
    section = config.view('container.events')
    kind = RedisSettings if Addresses.from_config(section).redis else RabbitmqSettings
    return kind.from_config(section)


def addresses(**keys: Any) -> list[str]:
    return [str(broker) for broker in read(**keys).brokers]


@pytest.mark.parametrize(
    ('keys', 'expected'),
    [
        ({}, ['amqp://guest@localhost:5672//']),
        ({'transport': 'amqp', 'hostname': '127.0.0.1'}, ['amqp://guest@127.0.0.1:5672//']),
        (
            {'hostname': 'h', 'port': '1234', 'userid': 'u', 'virtual_host': 'v'},
            ['amqp://u@h:1234/v'],
        ),
        ({'hostname': 'amqp://u:p@h:1/v'}, ['amqp://u@h:1/v']),
        ({'hostname': 'a;b'}, ['amqp://guest@a:5672//', 'amqp://guest@b:5672//']),
        (
            {'hostname': 'a', 'alternates': ['b']},
            ['amqp://guest@a:5672//', 'amqp://guest@b:5672//'],
        ),
        ({'urls': 'amqp://u:p%40%2F@h/v'}, ['amqp://u@h:5672/v']),
        (
            {'urls': ['amqp://a//', 'pyamqp://b//']},
            ['amqp://guest@a:5672//', 'amqp://guest@b:5672//'],
        ),
        ({'urls': 'amqp://u:p,q@h/a%2Cb%23'}, ['amqp://u@h:5672/a,b#']),
        ({'urls': 'amqps://h'}, ['amqps://guest@h:5671//']),
        ({'transport': 'amqps', 'hostname': 'h'}, ['amqps://guest@h:5671//']),
        ({'hostname': 'h', 'ssl': True}, ['amqps://guest@h:5671//']),
        ({'hostname': 'h', 'ssl': {'ciphers': 'HIGH'}}, ['amqps://guest@h:5671//']),
        ({'hostname': 'h', 'ssl': {}}, ['amqps://guest@h:5671//']),
        ({'hostname': 'h', 'ssl': {'ca_certs': None}}, ['amqps://guest@h:5671//']),
        ({'hostname': 'h:1234'}, ['amqp://guest@h:1234//']),
        ({'hostname': '[::1]:1234'}, ['amqp://guest@[::1]:1234//']),
        (
            {'urls': ' AMQP://a/v ; amqpS://b; '},
            ['amqp://guest@a:5672/v', 'amqps://guest@b:5671//'],
        ),
        (
            {'urls': ['amqp://a; amqp://b', ' amqp://c ;']},
            ['amqp://guest@a:5672//', 'amqp://guest@b:5672//', 'amqp://guest@c:5672//'],
        ),
        (
            {'hostname': ' a; b ;', 'transport': ' AMQP '},
            ['amqp://guest@a:5672//', 'amqp://guest@b:5672//'],
        ),
        (
            {'urls': None, 'hostname': 'a', 'alternates': 'b;'},
            ['amqp://guest@a:5672//', 'amqp://guest@b:5672//'],
        ),
    ],
)
def test_addresses_are_read_as_kombu_reads_them(keys: dict[str, Any], expected: list[str]) -> None:
    assert addresses(**keys) == expected


def test_defaults_are_safe() -> None:
    settings = read()
    assert settings.queue_type == 'quorum'
    assert settings.serializer == 'lymph-msgpack'
    assert settings.exchange == 'lymph.events'
    assert settings.confirm_timeout == 10
    assert settings.prefetch is None


@pytest.mark.parametrize(
    ('keys', 'error'),
    [
        ({'hostnam': 'h'}, "container.events.hostnam: .*did you mean 'hostname'?"),
        ({'queue_tipe': 'x'}, "did you mean 'queue_type'?"),
        ({'queue_type': 'stream'}, "queue_type: expected quorum or classic, found text 'stream'"),
        (
            {'serializer': 'pickle'},
            "serializer: expected lymph-msgpack or lymph-json, found text 'pickle'",
        ),
        ({'confirm_timeout': 0}, 'confirm_timeout: expected seconds from 0.001'),
        ({'confirm_timeout': 'soon'}, 'confirm_timeout: expected seconds from 0.001'),
        ({'prefetch': 0}, 'prefetch: expected a whole number from 1 to 65535'),
        ({'exchange': ''}, 'exchange: expected text, not empty'),
        ({'exchange': 'amq.topic'}, 'exchange: expected a name of its own'),
        ({'failover_strategy': 'best'}, 'failover_strategy: expected round-robin or shuffle'),
        ({'port': 'amqp'}, 'port: expected a whole number'),
        ({'urls': []}, 'urls: expected one address or more'),
        ({'urls': [None]}, 'urls: expected one address or more'),
        (
            {'urls': 'amqp://a', 'hostname': 'b'},
            'urls: expected either urls or hostname, found both',
        ),
        ({'urls': 'amqp://h/v?color=red'}, "urls: expected no option 'color' in a URL"),
        *(
            ({'urls': text}, 'urls: expected several addresses to be separated by semicolons')
            for text in ('amqp://a/,amqp://b/', 'amqp://a/v,', 'a:5672, b:5672', 'redis://h/0,')
        ),
        *(
            ({'urls': f'amqp://{text}'}, r'urls: expected amqp://user:\*+@host:port/virtual_host')
            for text in (
                'h/#',
                'h/v#x',
                'h/a\tb',
                'h\n/v',
                'h/v?',
                'h/v?heartbeat',
                'h/v?heartbeat=',
            )
        ),
        (
            {'urls': 'amqp://h/v?heartbeat=x'},
            'urls: heartbeat of the URL: expected seconds, 0 or from 0.1 to 65535, found',
        ),
        ({'ssl': {'ca_cert': 'x'}}, 'ssl.ca_cert: unknown option'),
        ({'ssl': {'cert_reqs': 'maybe'}}, 'ssl.cert_reqs: expected none or optional or required'),
        (
            {'transport': 'memory'},
            "transport: expected amqp, amqps, pyamqp, redis, rediss, found 'memory'",
        ),
        ({'urls': 'sqs://h'}, "urls: expected amqp, amqps, pyamqp, redis, rediss, found 'sqs'"),
        ({'urls': 'redis+socket:///x'}, "urls: expected amqp, .* found 'redis.socket'"),
        ({'urls': ['redis://h', 'amqp://h']}, 'urls: expected RabbitMQ or Redis, found both'),
        ({'urls': 'redis://h', 'queue_type': 'quorum'}, 'queue_type: expected nothing, for Redis'),
        ({'urls': 'redis://h', 'prefetch': 5}, 'prefetch: expected nothing, for over Redis'),
        ({'urls': 'redis://h', 'serializer': 'lymph-json'}, 'serializer: expected lymph-msgpack'),
        ({'urls': 'redis://h/shop'}, 'urls: expected the number of a database of Redis'),
        (
            {'urls': 'redis://h', 'transport_options': {'visibility_timeout': 0}},
            'transport_options.visibility_timeout: expected a number from 1 to 86400',
        ),
        (
            {'urls': 'redis://h', 'transport_options': {'fanout_prefix': True}},
            'transport_options.fanout_prefix: expected visibility_timeout alone',
        ),
    ],
)
def test_invalid_settings_are_errors_that_name_the_place(keys: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigurationError, match=error):
        read(**keys)


@pytest.mark.parametrize(
    'url',
    [
        'amqp://u:hun/ter2@h//',
        'amqp://u:1/hunter2@h',
        'amqp:/u:hunter2@h',
        'amqp://u:hunter2@a b',
        'amqp://u:hunter2@h:port//',
        'redis://:hunter2@h:port/0',
    ],
)
def test_no_error_quotes_a_url_that_cannot_be_read(url: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        read(urls=url)
    assert 'hun' not in str(failure.value)
    assert 'ter2' not in str(failure.value)
    assert failure.value.__cause__ is None


@pytest.mark.parametrize(
    ('keys', 'expected'),
    [
        ({'transport': 'redis'}, ['redis://localhost:6379/0']),
        ({'urls': 'redis://localhost:6379/0'}, ['redis://localhost:6379/0']),
        ({'hostname': 'redis://u:hunter2@h:1/2'}, ['redis://u@h:1/2']),
        ({'urls': 'rediss://:hunter2@h;rediss://g/3'}, ['rediss://h:6379/0', 'rediss://g:6379/3']),
        ({'transport': 'rediss', 'hostname': 'h', 'virtual_host': 4}, ['rediss://h:6379/4']),
        ({'transport': 'redis', 'password': 'hunter2', 'ssl': True}, ['rediss://localhost:6379/0']),
    ],
)
def test_addresses_of_redis_are_read_the_same_way(
    keys: dict[str, Any], expected: list[str]
) -> None:
    settings = read(**keys)
    assert isinstance(settings, RedisSettings)
    assert [str(RedisBroker(params)) for params in settings.arguments] == expected
    assert 'hunter2' not in repr(settings)


def test_default_visibility_timeout_over_redis_is_thirty_seconds() -> None:
    options = {'visibility_timeout': '60'}
    assert read(urls='redis://h').visibility_timeout == 30
    assert read(urls='redis://h', transport_options=options).visibility_timeout == 60


def test_no_representation_shows_a_password() -> None:
    settings = read(urls='amqp://u:hunter2@h//', password='hunter2')
    assert 'hunter2' not in repr(settings)
