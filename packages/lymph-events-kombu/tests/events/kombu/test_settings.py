"""The section of the configuration: what it may say, and what it is told when it may not."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.events.kombu.settings import Settings


def read(**keys: Any) -> Settings:
    config = Configuration({'container': {'events': {'class': 'kombu', **keys}}})
    return Settings.from_config(config.view('container.events'))


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
        ({'urls': 'amqps://h'}, ['amqps://guest@h:5671//']),
        ({'transport': 'amqps', 'hostname': 'h'}, ['amqps://guest@h:5671//']),
        ({'hostname': 'h', 'ssl': True}, ['amqps://guest@h:5671//']),
        ({'hostname': 'h', 'ssl': {'ca_certs': 'x.pem'}}, ['amqps://guest@h:5671//']),
    ],
)
def test_addresses_are_read_as_kombu_reads_them(keys: dict[str, Any], expected: list[str]) -> None:
    assert addresses(**keys) == expected


def test_without_own_keys_the_safe_choices_are_made() -> None:
    settings = read()
    assert settings.queue_type == 'quorum'
    assert settings.serializer == 'lymph-msgpack'
    assert settings.exchange == 'lymph'
    assert settings.confirm_timeout == 10
    assert settings.prefetch is None


@pytest.mark.parametrize(
    ('keys', 'error'),
    [
        ({'hostnam': 'h'}, "container.events.hostnam: .*did you mean 'hostname'?"),
        ({'queue_tipe': 'x'}, "did you mean 'queue_type'?"),
        ({'queue_type': 'stream'}, "queue_type: expected quorum or classic, found 'stream'"),
        (
            {'serializer': 'pickle'},
            "serializer: expected lymph-msgpack or lymph-json, found 'pickle'",
        ),
        ({'confirm_timeout': 0}, 'confirm_timeout: expected seconds, found 0'),
        ({'confirm_timeout': 'soon'}, 'confirm_timeout: expected a number'),
        ({'prefetch': 0}, 'prefetch: expected 1 to 65535, found 0'),
        ({'exchange': ''}, 'exchange: expected a name of its own'),
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
        ({'urls': 'amqp://h/v?heartbeat=x'}, 'urls: expected amqp://user:password@host:port'),
        ({'ssl': {'ca_cert': 'x'}}, 'ssl.ca_cert: expected one of ca_certs'),
        ({'ssl': {'cert_reqs': 'maybe'}}, 'ssl.cert_reqs: expected none or optional or required'),
        ({'transport': 'redis'}, "transport: expected amqp, amqps, pyamqp, found 'redis'"),
        ({'transport': 'memory'}, "transport: expected amqp, amqps, pyamqp, found 'memory'"),
        ({'urls': 'redis://h'}, "urls: expected amqp, amqps, pyamqp, found 'redis'"),
    ],
)
def test_what_cannot_be_meant_is_an_error_that_says_where(keys: dict[str, Any], error: str) -> None:
    with pytest.raises(ConfigurationError, match=error):
        read(**keys)


@pytest.mark.parametrize('url', ['amqp://u:hun/ter2@h//', 'amqp://u:hunter2@h:port//'])
def test_no_error_quotes_a_url_that_cannot_be_read(url: str) -> None:
    with pytest.raises(ConfigurationError) as failure:
        read(urls=url)
    assert 'hun' not in str(failure.value)
    assert 'ter2' not in str(failure.value)
    assert failure.value.__cause__ is None


def test_no_representation_shows_a_password() -> None:
    settings = read(urls='amqp://u:hunter2@h//', password='hunter2')
    assert 'hunter2' not in repr(settings)
