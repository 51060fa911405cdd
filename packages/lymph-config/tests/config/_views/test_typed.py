from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lymph.config import Configuration, ConfigurationError, ConfigView, MissingKeyError

Load = Callable[..., Configuration]

VALUES = """
zero: 0
number: 5
half: 0.5
words: text
digits: "8080"
port: $(env.PORT)
debug: $(env.DEBUG)
on: yes
off: false
nan: .nan
inf: .inf
null: ~
list: [1, {a: 2}]
map: {a: 1}
blank: " "
lines: "a\\0b"
"""

GETTERS = [
    *('get_int', 'get_float', 'get_seconds', 'get_bool', 'get_str', 'get_line', 'get_list'),
]


@pytest.fixture
def config(load: Load) -> Configuration:
    return load(VALUES, PORT='4000', DEBUG='False')


@pytest.mark.parametrize(
    ('getter', 'key', 'value'),
    [
        ('get_int', 'zero', 0),
        ('get_int', 'number', 5),
        ('get_int', 'digits', 8080),
        ('get_int', 'port', 4000),
        ('get_float', 'half', 0.5),
        ('get_float', 'number', 5.0),
        ('get_float', 'port', 4000.0),
        ('get_seconds', 'half', 0.5),
        ('get_line', 'words', 'text'),
        ('get_bool', 'on', True),
        ('get_bool', 'off', False),
        ('get_bool', 'debug', False),
        ('get_str', 'words', 'text'),
        ('get_str', 'digits', '8080'),
        ('get_list', 'list', [1, {'a': 2}]),
    ],
)
def test_a_value_of_the_right_type_is_returned(
    config: Configuration, getter: str, key: str, value: object
) -> None:
    found = getattr(config, getter)(key)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ('getter', 'key', 'error'),
    [
        ('get_int', 'on', 'conf.yml:9: on: expected a whole number, found true'),
        ('get_int', 'half', 'conf.yml:4: half: expected a whole number, found the number 0.5'),
        ('get_int', 'words', "conf.yml:5: words: expected a whole number, found text 'text'"),
        ('get_int', 'map', 'conf.yml:15: map: expected a whole number, found a mapping'),
        ('get_float', 'on', 'conf.yml:9: on: expected a number, found true'),
        ('get_float', 'words', "conf.yml:5: words: expected a number, found text 'text'"),
        ('get_float', 'nan', 'conf.yml:11: nan: expected a number, found the number nan'),
        ('get_float', 'inf', 'conf.yml:12: inf: expected a number, found the number inf'),
        (
            'get_seconds',
            'inf',
            'conf.yml:12: inf: expected seconds from 0.001 to 31536000',
        ),
        ('get_seconds', 'nan', 'conf.yml:11: nan: expected seconds from 0.001 to'),
        ('get_seconds', 'zero', 'conf.yml:2: zero: expected seconds from 0.001'),
        ('get_seconds', 'on', 'conf.yml:9: on: expected seconds from 0.001'),
        ('get_line', 'number', 'conf.yml:3: number: expected text (in quotes, if it looks like'),
        ('get_line', 'blank', 'conf.yml:16: blank: expected text, not empty and without control'),
        ('get_line', 'lines', 'conf.yml:17: lines: expected text, not empty and without control'),
        ('get_float', 'list', 'conf.yml:14: list: expected a number, found a list'),
        ('get_bool', 'zero', 'conf.yml:2: zero: expected true or false, found the number 0'),
        ('get_bool', 'words', "conf.yml:5: words: expected true or false, found text 'text'"),
        ('get_str', 'number', 'conf.yml:3: number: expected text (in quotes, if it looks like'),
        ('get_str', 'map', 'conf.yml:15: map: expected text'),
        ('get_list', 'words', "conf.yml:5: words: expected a list, found text 'text'"),
        ('get_list', 'map', 'conf.yml:15: map: expected a list, found a mapping'),
    ],
)
def test_value_of_another_type_is_rejected_with_its_place(
    config: Configuration, getter: str, key: str, error: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        getattr(config, getter)(key, None)
    assert str(caught.value).startswith(error)


@pytest.mark.parametrize('getter', GETTERS)
@pytest.mark.parametrize('key', ['nothing', 'map.nothing', 'null'])
def test_missing_key_and_null_give_the_default_or_an_error(
    config: Configuration, getter: str, key: str
) -> None:
    default: Any = object()
    assert getattr(config, getter)(key, default) is default
    assert getattr(config, getter)(key, None) is None
    said = 'expected a value, found nothing; add it' if key == 'null' else 'not set'
    with pytest.raises(MissingKeyError, match=f'^conf.yml.*: {key}: {said}'):
        getattr(config, getter)(key)


def test_items_of_a_list_are_as_get_returns_them(config: Configuration) -> None:
    assert isinstance(config.get_list('list')[1], ConfigView)


def test_a_list_of_the_wrong_type_makes_no_objects() -> None:
    config = Configuration({'a': ['dep:nobody']})
    with pytest.raises(ConfigurationError, match='a: expected a whole number, found a list'):
        config.get_int('a')


def test_integer_too_big_for_a_float_is_rejected() -> None:
    with pytest.raises(ConfigurationError, match='expected a number'):
        Configuration({'a': 10**400}).get_float('a')


@pytest.mark.parametrize(
    ('getter', 'value', 'bounds', 'said'),
    [
        ('get_int', 0, {'minimum': 1}, 'a whole number, 1 or more, found the number 0'),
        ('get_int', -1, {'minimum': 0, 'maximum': 9}, 'a whole number from 0 to 9, found the'),
        ('get_int', '10', {'maximum': 9}, "a whole number, at most 9, found text '10'"),
        ('get_int', True, {'minimum': 0, 'maximum': 9}, 'a whole number from 0 to 9, found true'),
        ('get_float', 0.5, {'minimum': 1}, 'a number, 1 or more, found the number 0.5'),
        ('get_float', 1.5, {'maximum': 1.25}, 'a number, at most 1.25, found the number 1.5'),
        ('get_seconds', -0.5, {'zero': True}, 'seconds, 0 or from 0.001 to 31536000, found the'),
        (
            'get_seconds',
            1e300,
            {},
            'seconds from 0.001 to 31536000, found the number 1e',
        ),
        ('get_seconds', 61, {'maximum': 60}, 'seconds from 0.001 to 60, found the'),
        ('get_choice', 'c', {'choices': ('a', 'b')}, "a or b, found text 'c'"),
        ('get_choice', 5, {'choices': ('a', 'b')}, 'a or b, found the number 5'),
        ('get_line', '\ud800', {}, 'text, not empty and without control characters, found text'),
    ],
)
def test_value_outside_its_range_is_rejected(
    getter: str, value: object, bounds: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        getattr(Configuration({'a': value}), getter)('a', **bounds)
    assert str(caught.value).startswith(f'a: expected {said}')


def test_ranges_include_their_ends() -> None:
    config = Configuration({'none': 0, 'ten': 10, 'word': 'b'})
    assert config.get_int('none', minimum=0, maximum=10) == 0
    assert config.get_int('ten', minimum=0, maximum=10) == 10
    assert config.get_float('ten', minimum=10, maximum=10) == 10
    assert config.get_seconds('none', zero=True) == 0
    assert config.get_seconds('ten', maximum=10) == 10
    assert config.get_choice('word', ('a', 'b')) == 'b'
    assert config.get_choice('nothing', ('a', 'b'), None) is None


def test_integer_too_long_for_text_is_rejected(load: Load) -> None:
    with pytest.raises(ConfigurationError, match=r'^conf.yml:2: password: a number of this'):
        load(f'a: 1\npassword: 0x{"f" * 5000}')


def test_integer_too_long_for_text_is_described() -> None:
    with pytest.raises(ConfigurationError, match='at most 9, found the number <int without'):
        Configuration({'a': 10**5000}).get_int('a', maximum=9)
    with pytest.raises(ConfigurationError, match=r'expected text .* that is not shown'):
        Configuration({'password': 10**5000}).get_line('password')
