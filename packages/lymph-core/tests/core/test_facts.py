from __future__ import annotations

import json
from dataclasses import fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.core.facts import check_endpoint, check_facts, check_name
from lymph.core.services import ServiceInstance

GOOD = {'identity': 'a', 'endpoint': 'tcp://10.0.0.1:4123'}

printable = st.text(st.characters(codec='utf-8'), max_size=255).filter(str.isprintable)
valid = st.fixed_dictionaries(
    {
        'identity': printable.filter(bool),
        'endpoint': st.sampled_from(['tcp://10.0.0.1:1', 'tcp://[::1]:65535', 'tcp://mail:4123']),
    },
    optional={
        'version': st.none() | st.sampled_from(['1', '1.2', '1.2.3']),
        'hostname': printable,
        'fqdn': printable,
        'ip': printable,
        'pid': st.integers(1, 2**31 - 1),
        'http_port': st.integers(1, 65535),
        'http_scheme': st.sampled_from(['http', 'https']),
        'log_endpoint': printable,
        'started': st.floats(0, 253_402_300_799),
    },
)


@given(valid)
def test_valid_facts_survive_the_registry(known):
    instance = ServiceInstance(**known)
    data = json.loads(json.dumps(instance.serialize()))
    assert ServiceInstance.deserialize(data) == instance


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        *(('identity', value) for value in (None, '', 5, ['a'], 'a\nb', '\ud800', 'x' * 256)),
        *(('endpoint', value) for value in (None, '', 5, ['tcp://x:1'], {'tcp': 1})),
        *(
            ('endpoint', value)
            for value in (
                'echo',
                'tcp://',
                'tcp://x',
                'tcp://x:',
                'tcp://:1',
                'tcp://x:0',
                'tcp://x:65536',
                'tcp://x:1x',
                'tcp://x:\u0661',
                'tcp://*:1',
                'tcp://a b:1',
                'tcp://a\x1bb:1',
                'tcp://a/b:1',
                'tcp://a@b:1',
                'tcp://::1:1',
                'tcp://[nonsense]:1',
                'TCP://x:1',
                'memory://',
                '://x',
                'ipc:///run/\x00',
                f'ipc:///{"x" * 255}',
            )
        ),
        *(('version', value) for value in (1, 1.0, True, '', 'x', '1.2.3.4', '-1', '\u0661', [])),
        *(('hostname', value) for value in (5, [], 'a\x1b[2Jb', '\u202e', 'x' * 256)),
        *((name, 5) for name in ('fqdn', 'ip', 'log_endpoint')),
        *((name, {}) for name in ('monitoring_endpoint', 'backdoor_endpoint')),
        *(('pid', value) for value in (0, -1, 2**31, 10**400, 1.0, True, '1', [])),
        *(('http_port', value) for value in (0, -1, 65536, 80.0, True, '80', {})),
        *(('http_scheme', value) for value in ('', 'ftp', 'HTTP', 5, [])),
        *(
            ('started', value)
            for value in (-1, 1e300, 10**400, float('nan'), float('inf'), True, '1', [])
        ),
    ],
)
def test_invalid_fact_is_an_error_of_one_line(name, value):
    with pytest.raises(ValueError, match=f'^expected {name} as ') as caught:
        check_facts({**GOOD, name: value})
    text = str(caught.value)
    assert text.isprintable()
    assert len(text) < 200


def test_every_fact_of_an_instance_is_checked():
    for name in {field.name for field in fields(ServiceInstance)} - {'connector'}:
        with pytest.raises(ValueError, match=f'^expected {name} as '):
            check_facts({**GOOD, name: object()})


@pytest.mark.parametrize('name', ['version', 'hostname', 'pid', 'http_port', 'started'])
def test_facts_may_be_missing_or_null(name):
    assert check_facts({**GOOD, name: None}) == check_facts(GOOD) == GOOD


def test_unknown_facts_are_ignored_whatever_they_are():
    assert check_facts({**GOOD, 'owner': [[]], 'connector': 'evil', '\x1b': {}}) == GOOD


@pytest.mark.parametrize(
    'endpoint',
    [
        'tcp://127.0.0.1:4123',
        'tcp://[fe80::1%eth0]:4123',
        'tcp://mail.example.org:1',
        'ipc:///run/echo',
        'memory://x',
        'serial://0123',
    ],
)
def test_addresses_of_a_known_form_are_endpoints(endpoint):
    assert check_endpoint(endpoint) == endpoint


@pytest.mark.parametrize('endpoint', ['echo', '', None, 5, ['tcp://x:1'], 'tcp://x' + 'x' * 9999])
def test_other_addresses_are_rejected(endpoint):
    with pytest.raises(ValueError, match=r'^expected an endpoint like tcp://127\.0\.0\.1:4123'):
        check_endpoint(endpoint)


@pytest.mark.parametrize('name', ['echo', 'a.b', 'a b', '/', '..', '\u4e16\u754c', 'x' * 255])
def test_printable_text_is_a_name(name):
    assert check_name(name) == name


@pytest.mark.parametrize(
    'name', ['', 'a\nb', 'a\x00', '\x1b[2J', '\u202e', '\ud800', 'x' * 256, 'ä' * 128, None, 5]
)
def test_unprintable_or_long_names_are_rejected(name):
    with pytest.raises(ValueError, match='expected a name of 1 to 255 bytes') as caught:
        check_name(name)
    assert str(caught.value).isprintable()
