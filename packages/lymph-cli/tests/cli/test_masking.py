from __future__ import annotations

import pytest

from lymph.cli.masking import mask

SECRET_NAMES = [
    *('password', 'zk_passwd', 'db_passphrase', 'secret', 'client_secret', 'credentials'),
    *('api_key', 'auth_token', 'AWS_SECRET_ACCESS_KEY', 'private_key', 'secret_key'),
]


@pytest.mark.parametrize('name', SECRET_NAMES)
def test_what_stands_at_a_secret_key_is_masked(name: str) -> None:
    assert mask({'a': [{name: 'hunter2'}]}) == {'a': [{name: '***'}]}
    assert mask({name: ['hunter2', 42]}) == {name: ['***', '***']}
    assert mask({name: {'inner': 'hunter2'}}) == {name: {'inner': '***'}}
    assert mask('hunter2', name=name) == '***'


@pytest.mark.parametrize('name', ['user', 'keyspace', 'tokens_per_second', 'secretary', 'monkey'])
def test_other_keys_keep_their_values(name: str) -> None:
    assert mask({name: 'hunter2'}) == {name: 'hunter2'}


def test_a_secret_that_is_not_set_is_seen_not_to_be() -> None:
    assert mask({'password': None, 'secret': False}) == {'password': None, 'secret': False}


def test_a_reference_to_a_dependency_is_a_name() -> None:
    assert mask({'credentials': 'dep:vault'}) == {'credentials': 'dep:vault'}


@pytest.mark.parametrize(
    ('url', 'masked'),
    [
        ('amqp://guest:gu:e@st@rabbit:5672//', 'amqp://guest:***@rabbit:5672//'),
        ('a://u:p@h;b://v:q@i/', 'a://u:***@h;b://v:***@i/'),
        ('redis://:pw@host', 'redis://:***@host'),
        ('http://host:80/a@b', 'http://host:80/a@b'),
        ('user:password@host', 'user:password@host'),
    ],
)
def test_passwords_in_urls_are_masked(url: str, masked: str) -> None:
    assert mask({'url': url}) == {'url': masked}
