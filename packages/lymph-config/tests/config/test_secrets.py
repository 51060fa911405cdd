"""Which values of a configuration are masked, and which are not."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.config import Configuration, ConfigurationError
from lymph.config.secrets import is_secret, mask, mask_text

SECRET_NAMES = [
    *('password', 'zk_passwd', 'db_passphrase', 'secret', 'client_secret', 'credentials'),
    *('api_key', 'auth_token', 'AWS_SECRET_ACCESS_KEY', 'private_key', 'secret_key', 'passwords'),
    *('api-keys', 'API-KEY', 'tokens', 'pwd', 'dbpwd', 'auth', 'auth_data', 'authData', 'creds'),
    *('dbPassword', 'DBPassword', 'password2', 'apikey', 'x-api-key', 'Authorization', 'dsn'),
    *('access_tokens', 'password_hash', 'sasl.password', 'encryption-key', 'secretKeys', 'pass'),
]
HARMLESS_NAMES = [
    *('user', 'keyspace', 'tokens_per_second', 'secretary', 'monkey', 'author', 'passthrough'),
    *('tokenizer', 'max_tokens', 'bypass', 'compass', 'public_key', 'routing_key', 'key', 'keys'),
    *('authority', 'password_file', 'token_url', 'oauth', 'passive', 'credit', 'host', '', '42'),
]


@pytest.mark.parametrize('name', SECRET_NAMES)
def test_value_at_a_secret_key_is_masked(name: str) -> None:
    assert mask({'a': [{name: 'hunter2'}]}) == {'a': [{name: '***'}]}
    assert mask({name: ['hunter2', 42]}) == {name: ['***', '***']}
    assert mask({name: {'inner': ['hunter2', {'x': b'y'}]}}) == {
        name: {'inner': ['***', {'x': '***'}]}
    }
    assert mask('hunter2', name=name) == '***'


@pytest.mark.parametrize('name', HARMLESS_NAMES)
def test_value_at_another_key_is_kept(name: str) -> None:
    assert mask({name: 'hunter2'}) == {name: 'hunter2'}
    assert mask_text(f'http://host/?{name}=hunter2') == f'http://host/?{name}=hunter2'


def test_unset_secrets_are_shown_as_unset() -> None:
    assert mask({'password': None, 'secret': False}) == {'password': None, 'secret': False}


def test_reference_to_a_dependency_is_kept() -> None:
    assert mask({'credentials': 'dep:vault'}) == {'credentials': 'dep:vault'}


@pytest.mark.parametrize(
    ('text', 'masked'),
    [
        ('amqp://guest:gu:e@st@rabbit:5672//', 'amqp://guest:***@rabbit:5672//'),
        ('a://u:p@h;b://v:q@i/', 'a://u:***@h;b://v:***@i/'),
        ('a://u:p@h,b://v:q@i', 'a://u:***@h,b://v:***@i'),
        ('two: a://u:p@h and b://v:q@i', 'two: a://u:***@h and b://v:***@i'),
        ('redis://:pw@host', 'redis://:***@host'),
        ('amqp://u:p/w@host/', 'amqp://u:***@host/'),
        ('amqp://u:p#?w@host/', 'amqp://u:***@host/'),
        ("found 'amqp://guest:hunt...'", "found 'amqp://guest:***...'"),
        ('https://ghp_0123456789abcdef@github.com/x', 'https://***@github.com/x'),
        ('http://host:80/a@b', 'http://host:80/a@b'),
        ('tcp://127.0.0.1:4123...', 'tcp://127.0.0.1:4123...'),
        ('amqp://guest@host', 'amqp://guest@host'),
        ('user:password@host', 'user:password@host'),
        ('http://h/?password=a&token=b&x=c#d', 'http://h/?password=***&token=***&x=c#d'),
        ('http://h/?tokens[]=a,b&x=c', 'http://h/?tokens[]=***&x=c'),
        ('http://h/?token=a,http://i/?token=b', 'http://h/?token=***,http://i/?token=***'),
        ('host=x password=\'a b\' dbname=y', "host=x password='***' dbname=y"),
        ('Server=x;Pwd=a,b;Database=y', 'Server=x;Pwd=***;Database=y'),
        ('serve --password hunter2 --port 80', 'serve --password *** --port 80'),
        ('serve --api-key=hunter2 -v', 'serve --api-key=*** -v'),
        ('{"password": "hunter2", "a": "b"}', '{"password": "***", "a": "b"}'),
        ('-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----', '***'),
        ('author=ada monkey: patch', 'author=ada monkey: patch'),
    ],
)  # fmt: skip
def test_secret_inside_text_is_masked(text: str, masked: str) -> None:
    assert mask({'x': text}) == {'x': masked}
    assert mask_text(text) == masked


def test_value_of_a_header_with_a_secret_name_is_masked() -> None:
    headers = ['Authorization: Bearer hunter2', 'X-Api-Key: hunter2', 'Accept: text/html']
    assert mask(headers) == ['Authorization: ***', 'X-Api-Key: ***', 'Accept: text/html']


def test_value_beside_a_secret_name_is_masked() -> None:
    assert mask([{'name': 'DB_PASSWORD', 'value': 'hunter2'}, {'name': 'HOST', 'value': 'x'}]) == [
        {'name': 'DB_PASSWORD', 'value': '***'},
        {'name': 'HOST', 'value': 'x'},
    ]


_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text() | st.just('a://u:p@h?token=x'),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(['a', 'password']), inner),
)


@given(_values)
def test_masking_twice_is_masking_once(value: Any) -> None:
    assert mask(mask(value)) == mask(value)


@given(st.text(), st.sampled_from(SECRET_NAMES))
def test_nothing_is_left_of_a_value_at_a_secret_key(value: str, name: str) -> None:
    masked = mask({'x': {name: [value, {'y': value}]}})['x'][name]
    assert masked == ['dep:' + value[4:]] * 2 if value.startswith('dep:') else ['***', {'y': '***'}]


@given(st.text('abc/#?:'))
def test_nothing_is_left_of_the_password_in_a_url(password: str) -> None:
    assert mask_text(f'amqp://user:x{password}@host/') == 'amqp://user:***@host/'


@given(st.text(max_size=20))
def test_any_text_may_be_a_name(name: str) -> None:
    assert is_secret(name) in (True, False)


ENVIRON = {'DB_PASSWORD': 'hunter2', 'HOST': 'rabbit'}


def test_value_of_a_secret_variable_is_masked_wherever_it_is_inserted() -> None:
    config = Configuration(
        {
            'greeting': 'hello $(env.DB_PASSWORD) at $(env.HOST)',
            'whole': '$(env.DB_PASSWORD)',
            'section': '$(var.secrets)',
            'indirect': '$(var.a)',
        },
        variables={'secrets': {'x': 'hunter2', 'on': True}, 'a': '<$(env.DB_PASSWORD)>'},
        environ=ENVIRON,
    )
    assert config.get_masked(()) == {
        'greeting': 'hello *** at rabbit',
        'whole': '***',
        'section': {'x': '***', 'on': True},
        'indirect': '<***>',
    }
    assert config.get('greeting') == 'hello hunter2 at rabbit'


def test_key_below_a_secret_key_is_masked() -> None:
    config = Configuration({'a': {'passwords': {'db': ['hunter2']}}})
    assert config.get_masked('a.passwords.db.0') == '***'
    assert config.get_masked('a.passwords.db') == ['***']
    assert config.get_masked('a.passwords.web', 'nothing') == 'nothing'


@pytest.mark.parametrize(
    ('text', 'getter', 'key'),
    [
        ('password: [hunter2]', 'get_str', 'password'),
        ('password: hunter2', 'get_int', 'password'),
        ('passwords: {web: hunter2}', 'get_float', 'passwords.web'),
        ('password: 4711', 'get_str', 'password'),
        ('password: 2024-02-29', 'get_str', 'password'),
        ('password: !!binary aHVudGVyMg==', 'get_str', 'password'),
        ('password: hunter2', 'get', 'password.x'),
        ('size: $(env.DB_PASSWORD)', 'get_int', 'size'),
        ('url: amqp://guest:hunter2@host/and/a/long/path/that/is/cut', 'get_int', 'url'),
        (f'url: amqp://guest:hunter2{"x" * 50}@host', 'get_int', 'url'),
        ('password: 4711-02-99', 'get', 'x'),
        ('password: !hunter2 x', 'get', 'x'),
        ('password: *hunter2', 'get', 'x'),
        ('password: $(hunter2)', 'get', 'x'),
        ('password: a$(hunter2', 'get', 'x'),
    ],
)  # fmt: skip
def test_error_about_a_secret_does_not_quote_it(
    write: Any, text: str, getter: str, key: str
) -> None:
    config = Configuration(environ=ENVIRON)
    file = write('conf.yml', text)

    def use() -> None:
        config.load_file(file)
        getattr(config, getter)(key)

    with pytest.raises(ConfigurationError) as caught:
        use()
    for secret in ('hunter2', '4711', '2024', 'aHVud'):
        assert secret not in str(caught.value)


def test_error_about_fixed_choices_shows_what_was_found_unless_it_is_a_secret_itself() -> None:
    section = {'site': 'hunter2', 'password': 'hunter2', 'inserted': '$(env.DB_PASSWORD)'}
    config = Configuration({'cookies': section}, environ=ENVIRON)

    def error(key: str, choices: tuple[str, ...] = ()) -> str:
        with pytest.raises(ConfigurationError) as caught:
            config.get_choice(key, choices) if choices else config.get_bool(key)
        return str(caught.value)

    assert (
        error('cookies.site', ('a', 'b')) == "cookies.site: expected a or b, found text 'hunter2'"
    )
    assert error('cookies.site') == "cookies.site: expected true or false, found text 'hunter2'"
    assert 'hunter2' not in error('cookies.password', ('a',)) + error('cookies.password')
    assert 'hunter2' not in error('cookies.inserted', ('a',)) + error('cookies.inserted')


def test_error_raised_by_others_about_a_secret_does_not_quote_it() -> None:
    config = Configuration({'vault': {'tokens': ['hunter2', 12345]}})
    for key in ('vault', 'vault.tokens', 'vault.tokens.0'):
        assert 'hunter2' not in str(config.error(key, "cannot use 'hunter2'"))
    assert str(config.error('vault.tokens', 'found [hunter2, 12345]')).endswith('[***, ***]')
