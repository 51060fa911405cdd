"""Every key of the section, with every kind of value, over RabbitMQ and over Redis."""

from __future__ import annotations

import socket
from typing import Any

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.assembly import build_container
from lymph.events.kombu import KombuEventSystem
from lymph.events.kombu._connecting.options import ARGUMENTS
from lymph.events.kombu._rabbitmq.settings import RabbitmqSettings
from lymph.testing.contracts.sections import (
    FLAGS,
    NUMBERS,
    TEXTS,
    check_refused,
    check_taken_or_refused,
    configuration,
)

MAPPINGS = ('5', 'x', '[1]', 'true', '""', '.nan')
SECONDS = (*NUMBERS, '0', '0.0', '1.0e-9', '86401')
ADDRESSES = (
    *TEXTS,
    *(
        '"a b"',
        '";"',
        '" ; "',
        '[a, null]',
        '[""]',
        '"a:0"',
        '"a:65536"',
        '"amqp:/h"',
        '"amqp://a:0"',
    ),
    *('"amqp://a:b:c"', 'sqs://h', '"amqp://a b"', '"amqp://u:pa/ss@h"'),
    *('"amqp://h?heartbeat=inf"', '"amqp://h?heartbeat=-1"', '"amqp://h?connect_timeout=0"'),
    *('"amqp://h?port=x"', '"amqp://h?ssl_cert_reqs=x"', '"amqp://h?ssl_ca_certs=x"'),
)

AMQP = {
    'urls': ADDRESSES,
    'hostname': ADDRESSES,
    'alternates': ADDRESSES,
    'transport': (*TEXTS, 'memory'),
    'port': (*NUMBERS, '0', '65536', '0.5'),
    'userid': TEXTS,
    'password': (*TEXTS, '12345'),
    'virtual_host': (*TEXTS, '12'),
    'insist': FLAGS,
    'heartbeat': (*NUMBERS, '65536', '0.01'),
    'connect_timeout': SECONDS,
    'login_method': (*TEXTS, 'SECRET'),
    'uri_prefix': TEXTS,
    # an argument from kombu 5.7 on
    **({'credential_provider': TEXTS} if 'credential_provider' in ARGUMENTS else {}),
    'failover_strategy': (*TEXTS, 'best'),
    'exchange': (*TEXTS, 'amq.topic', 'x' * 101),
    'queue_type': (*TEXTS, 'stream'),
    'serializer': (*TEXTS, 'pickle'),
    'confirm_timeout': SECONDS,
    'prefetch': (*NUMBERS, '0', '65536', '0.5'),
    'hostnam': ('h',),
    'ssl': (
        '5',
        'x',
        '[1]',
        '""',
        '.nan',
        '{check_hostname: true, cert_reqs: none}',
        '{keyfile: /dev/null}',
    ),
    'ssl.ca_certs': (*TEXTS, '/nope/x.pem', '/dev/null'),
    'ssl.certfile': (*TEXTS, '/nope/x.pem', '/dev/null'),
    'ssl.keyfile': (*TEXTS, '/nope/x.pem'),
    'ssl.server_hostname': TEXTS,
    'ssl.check_hostname': FLAGS,
    'ssl.cert_reqs': (*TEXTS, 'maybe'),
    'ssl.ciphers': (*TEXTS, 'NOPE'),
    'ssl.ca_cert': ('x',),
    'transport_options': MAPPINGS,
    'transport_options.channel_max': (*NUMBERS, '65536', '0.5'),
    'transport_options.frame_max': (*NUMBERS, '0', '4095', '2147483648'),
    'transport_options.locale': TEXTS,
    'transport_options.confirm_publish': (*FLAGS, 'false'),
    'transport_options.client_properties': MAPPINGS,
    'transport_options.client_properties.x': (
        '.inf',
        '[1]',
        '{a: 1}',
        '""',
        '2020-01-01',
        '0x' + 'f' * 20,
    ),
    'transport_options.socket_settings': MAPPINGS,
    'transport_options.socket_settings.TCP_KEEPIDLE': (*NUMBERS, '0.5', '2147483648'),
    'transport_options.socket_settings.x': ('5',),
    'transport_options.read_timeot': ('5',),
}
REDIS = {
    **{key: AMQP[key] for key in ('port', 'userid', 'password', 'heartbeat', 'connect_timeout')},
    **{key: AMQP[key] for key in ('exchange', 'confirm_timeout', 'ssl', 'failover_strategy')},
    'virtual_host': ('x', '-1', '.inf', 'true', '""', '[1]', '12345678901', '0x' + 'f' * 99),
    'serializer': (*TEXTS, 'pickle', 'lymph-json'),
    'transport_options': MAPPINGS,
    'transport_options.visibility_timeout': (*NUMBERS, '0', '0.5', '86401'),
    'transport_options.fanout_prefix': ('true',),
}


def base(transport: str) -> dict[str, Any]:
    events = {'class': 'kombu', 'transport': transport}
    others = {'registry': {'class': 'static'}, 'rpc': {'transport': 'memory'}}
    return {'container': {**others, 'events': events}}


def build(config: Configuration) -> None:
    KombuEventSystem.from_config(config.view('container.events'))


@pytest.mark.parametrize('key', AMQP)
def test_invalid_value_is_rejected_with_its_place_over_rabbitmq(key: str) -> None:
    check_refused(f'container.events.{key}', AMQP[key], build, base('amqp'))


@pytest.mark.parametrize('key', AMQP)
def test_any_invalid_value_raises_configuration_error_over_rabbitmq(key: str) -> None:
    check_taken_or_refused(f'container.events.{key}', build, base('amqp'))


@pytest.mark.parametrize('key', REDIS)
def test_invalid_value_is_rejected_with_its_place_over_redis(key: str) -> None:
    check_refused(f'container.events.{key}', REDIS[key], build, base('redis'))


@pytest.mark.parametrize('key', {**AMQP, **REDIS})
def test_any_invalid_value_raises_configuration_error_over_redis(key: str) -> None:
    check_taken_or_refused(f'container.events.{key}', build, base('redis'))


@pytest.mark.parametrize('key', [key for key in AMQP if key not in ('hostnam', 'class')])
def test_null_is_the_default(key: str) -> None:
    if not key.endswith(('ca_cert', 'timeot', '.x', 'KEEPIDLE')):
        build(configuration(f'container.events.{key}', 'null', base('amqp')))


def test_number_as_a_password_is_an_error_that_advises_quotes() -> None:
    with pytest.raises(ConfigurationError, match='in quotes') as caught:
        build(configuration('container.events.password', '12345', base('amqp')))
    assert '12345' not in str(caught.value)


def test_transport_options_are_passed_to_py_amqp() -> None:
    options = (
        '{channel_max: "100", frame_max: 8192, confirm_publish: true, '
        'client_properties: {connection_name: shop, n: 5}, socket_settings: {TCP_KEEPIDLE: 9}}'
    )
    config = configuration('container.events.transport_options', options, base('amqp'))
    (broker,) = RabbitmqSettings.from_config(config.view('container.events')).brokers
    connection = broker._client()
    assert connection.transport_options == {
        'channel_max': 100,
        'frame_max': 8192,
        'client_properties': {'connection_name': 'shop', 'n': 5},
        'socket_settings': {socket.TCP_KEEPIDLE: 9},
    }


def test_section_of_the_manual_is_accepted() -> None:
    events = {
        'class': 'lymph.events.kombu:KombuEventSystem',
        'transport': 'amqp',
        'hostname': '127.0.0.1',
    }
    config = base('amqp')
    config['container'] = {**config['container'], 'events': events}
    build_container(Configuration(config)).stop()
