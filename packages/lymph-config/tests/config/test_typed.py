from __future__ import annotations

import math
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
"""

GETTERS = ['get_int', 'get_float', 'get_bool', 'get_str', 'get_list']


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
        ('get_float', 'inf', math.inf),
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
        ('get_float', 'list', 'conf.yml:14: list: expected a number, found a list'),
        ('get_bool', 'zero', 'conf.yml:2: zero: expected true or false, found the number 0'),
        ('get_bool', 'words', "conf.yml:5: words: expected true or false, found text 'text'"),
        ('get_str', 'number', 'conf.yml:3: number: expected text (in quotes, if it looks like'),
        ('get_str', 'map', 'conf.yml:15: map: expected text'),
        ('get_list', 'words', "conf.yml:5: words: expected a list, found text 'text'"),
        ('get_list', 'map', 'conf.yml:15: map: expected a list, found a mapping'),
    ],
)
def test_a_value_of_another_type_is_refused_at_its_place(
    config: Configuration, getter: str, key: str, error: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        getattr(config, getter)(key, None)
    assert str(caught.value).startswith(error)


@pytest.mark.parametrize('getter', GETTERS)
@pytest.mark.parametrize('key', ['nothing', 'map.nothing', 'null'])
def test_nothing_and_null_give_the_default_or_an_error(
    config: Configuration, getter: str, key: str
) -> None:
    default: Any = object()
    assert getattr(config, getter)(key, default) is default
    assert getattr(config, getter)(key, None) is None
    with pytest.raises(MissingKeyError, match=f'^conf.yml.*: {key}: not set'):
        getattr(config, getter)(key)


def test_items_of_a_list_are_as_get_returns_them(config: Configuration) -> None:
    assert isinstance(config.get_list('list')[1], ConfigView)


def test_a_list_of_the_wrong_type_makes_no_objects() -> None:
    config = Configuration({'a': ['dep:nobody']})
    with pytest.raises(ConfigurationError, match='a: expected a whole number, found a list'):
        config.get_int('a')


def test_an_integer_too_big_for_a_float_is_refused() -> None:
    with pytest.raises(ConfigurationError, match='expected a number'):
        Configuration({'a': 10**400}).get_float('a')
