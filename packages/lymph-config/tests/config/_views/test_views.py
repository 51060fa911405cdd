from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lymph.config import Configuration, ConfigurationError, ConfigView, MissingKeyError

Load = Callable[..., Configuration]

VALUES: dict[str, Any] = {
    'container': {'ip': '127.0.0.1', 'registry': {'hosts': ['a', 'b']}, 'rpc': None},
    'interfaces': {'echo@1.5.0': {'class': 'echo:Echo'}, '1.10': {'class': 'echo:Old'}},
    'servers': [{'host': 'a'}, {'host': 'b'}],
    'five': 5,
}

trees = st.dictionaries(
    st.text('ab.'),
    st.recursive(
        st.none() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text('ab.'), inner),
        max_leaves=10,
    ),
)


@pytest.fixture
def config() -> Configuration:
    return Configuration(VALUES)


def test_dotted_keys_are_nested_lookups(config: Configuration) -> None:
    assert config['container.ip'] == config['container']['ip'] == '127.0.0.1'
    assert config.get('container.registry') == config.get('container').get('registry')
    assert 'container.registry.hosts' in config
    assert 'container.registry.nothing' not in config


def test_mapping_is_returned_as_a_view_with_its_root(config: Configuration) -> None:
    view = config['container']['registry']
    assert isinstance(view, Mapping)
    assert isinstance(view, ConfigView)
    assert view.root is config
    assert config.root is config
    assert view == {'hosts': ['a', 'b']}


@pytest.mark.parametrize('prefix', ['container.registry', ['container', 'registry']])
def test_view_is_constructed_from_a_configuration_and_a_prefix(
    config: Configuration, prefix: Any
) -> None:
    assert dict(ConfigView(config, prefix)) == {'hosts': ['a', 'b']}
    assert dict(ConfigView(ConfigView(config, 'container'), 'registry')) == {'hosts': ['a', 'b']}


def test_get_returns_the_default_for_a_missing_key(config: Configuration) -> None:
    assert config.get('nothing') is None
    assert config.get('container.nothing.more', 7) == 7
    assert config.get('container.rpc', 7) is None
    assert config.get('container.rpc.timeout', 7) == 7


def test_a_missing_key_is_a_key_error_with_its_place(load: Load) -> None:
    config = load('container:\n  registry:\n    hosts: a\n')
    with pytest.raises(KeyError) as caught:
        config['container']['registry.host']
    assert isinstance(caught.value, MissingKeyError)
    expected = "conf.yml:2: container.registry.host: not set, but 'hosts' is; check the spelling"
    assert str(caught.value) == expected


def test_a_key_with_dots_is_reached_by_iteration_and_as_a_list(config: Configuration) -> None:
    interfaces = config['interfaces']
    assert [view['class'] for view in interfaces.values()] == ['echo:Echo', 'echo:Old']
    assert {name: interfaces[name]['class'] for name in interfaces} == {
        'echo@1.5.0': 'echo:Echo',
        '1.10': 'echo:Old',
    }
    assert config.get(['interfaces', 'echo@1.5.0', 'class']) == 'echo:Echo'
    assert config.get(('interfaces', '1.10'))['class'] == 'echo:Old'
    assert ConfigView(interfaces, ['echo@1.5.0']).get_str('class') == 'echo:Echo'
    assert ['echo@1.5.0'] in interfaces
    assert ['echo@1', '5', '0'] not in interfaces


def test_literal_key_wins_over_a_dotted_one() -> None:
    config = Configuration({'a.b': 1, 'a': {'b': 2}, '': 3})
    assert (config['a.b'], config[['a', 'b']], config['']) == (1, 2, 3)


@given(trees)
def test_a_configuration_is_the_mapping_that_it_was_given(values: dict[str, Any]) -> None:
    config = Configuration(values)
    assert config == values
    assert dict(config.items()) == values
    assert len(config) == len(values)
    for key, value in values.items():
        assert key in config
        assert config[key] == config.get(key) == value
        assert config.get_raw(key) == value
        assert config[[key]] == value


@given(trees, trees)
def test_updating_joins_mappings(base: dict[str, Any], over: dict[str, Any]) -> None:
    config = Configuration({'x': base})
    config['x'].update(over)
    assert config['x'] == merged(base, over)


def merged(base: Any, over: Any) -> Any:
    if not (isinstance(base, dict) and isinstance(over, dict)):
        return over
    return base | {key: merged(base.get(key), over[key]) for key in over}


def test_items_of_lists_are_treated_like_values(config: Configuration) -> None:
    first, second = config['servers']
    assert isinstance(first, ConfigView)
    assert (first['host'], second['host'], config['servers.1.host']) == ('a', 'b', 'b')
    assert config['servers'] == [{'host': 'a'}, {'host': 'b'}]


def test_raw_values_are_plain_copies(config: Configuration) -> None:
    raw = config.get_raw('container')
    assert raw == VALUES['container']
    assert type(raw) is dict
    raw['registry']['hosts'].append('c')
    assert config.get_raw('container') == VALUES['container']
    assert config.get_raw('nothing') is None
    assert config.get_raw('nothing', 5) == 5
    assert config.get_raw(()) == VALUES


def test_view_of_a_missing_key_or_null_is_empty(config: Configuration) -> None:
    for key in ('nothing', 'container.nothing.more', 'container.rpc'):
        view = config.view(key)
        assert list(view) == []
        assert view.get_float('timeout', 1.0) == 1.0


def test_section_that_is_not_a_mapping_is_rejected(load: Load) -> None:
    config = load('a: 1\ncontainer: [x]\n')
    for use in (
        lambda: config.view('container'),
        lambda: list(ConfigView(config, 'container')),
        lambda: config.get('container.ip'),
        lambda: config['container.ip'],
        lambda: 'container.ip' in config,
        lambda: config.set('container.ip', 1),
        lambda: config.create_instance('container'),
    ):
        with pytest.raises(ConfigurationError, match=r'^conf.yml:2: container: expected a mapping'):
            use()


def test_a_view_is_live(config: Configuration) -> None:
    view = config.view('container.new')
    config.set('container.new.x', 1)
    assert view == {'x': 1}
    view.set('y', 2)
    assert config.get_raw('container.new') == {'x': 1, 'y': 2}


def test_set_creates_missing_mappings(config: Configuration) -> None:
    config.set('a.b.c', 1)
    config.set(['a', 'x.y'], {'z': 2})
    config.set('container.rpc.timeout', 3)
    config.set('servers.1.host', 'c')
    assert config.get_raw('a') == {'b': {'c': 1}, 'x.y': {'z': 2}}
    assert config['container.rpc.timeout'] == 3
    assert config['servers.1.host'] == 'c'


def test_set_value_does_not_follow_later_changes_of_its_source() -> None:
    source = {'list': [1]}
    config = Configuration({'a': source})
    config.set('b', source)
    source['list'].append(2)
    assert config.get_raw(()) == {'a': {'list': [1]}, 'b': {'list': [1]}}


def test_setdefault_sets_only_what_is_missing(config: Configuration) -> None:
    assert config.setdefault('five', 6) == 5
    assert config.setdefault('container.rpc', 6) is None
    assert config.setdefault('container.port', 4000) == 4000
    assert config['container.port'] == 4000
    assert config.setdefault('new', {'a': 1})['a'] == 1


def test_a_view_can_be_put_into_another_configuration_with_its_lines(load: Load) -> None:
    source = load('a:\n  b: x\n  zk: dep:zk\n')
    target = Configuration({'a': source['a']})
    target.update({'deep': {'er': source['a']}})
    target.set('set', source['a'])
    for key in ('a', 'deep.er', 'set'):
        assert target.get_raw(key) == {'b': 'x', 'zk': 'dep:zk'}
        assert target.locate(f'{key}.b').position == source.locate('a.b').position


def test_a_configuration_made_of_a_view_takes_its_values_as_they_are(load: Load) -> None:
    source = load('a: {b: $$(date)}')
    assert Configuration(source).get_raw('a.b') == '$(date)'
    assert Configuration(source['a']).get_raw('b') == '$(date)'


def test_configuration_cannot_be_replaced_by_a_scalar(config: Configuration) -> None:
    with pytest.raises(ConfigurationError, match='a configuration is a mapping, found the number'):
        config.set((), 5)


def test_error_of_a_view_names_the_place_of_the_key(load: Load) -> None:
    container = load('container:\n  pool_size: -1\n')['container']
    error = container.error('pool_size', 'expected at least 1, found -1')
    assert isinstance(error, ConfigurationError)
    assert str(error) == 'conf.yml:2: container.pool_size: expected at least 1, found -1'
    missing = container.error('ip', 'not set')
    assert str(missing) == 'conf.yml:1: container.ip: not set'


def test_repr_shows_no_values() -> None:
    config = Configuration({'db': {'password': 'secret'}})
    assert repr(config['db']) == '<ConfigView db: password>'
    assert 'secret' not in repr(config)


def test_comparing_makes_no_objects() -> None:
    config = Configuration({'a': 'dep:x', 'l': ['dep:x']})
    assert config == Configuration({'a': 'dep:x', 'l': ['dep:x']})
    assert config == {'a': 'dep:x', 'l': ['dep:x']}
    assert config != Configuration({})
    assert config.view('nothing') == Configuration({'null': None}).view('null') == {}


@pytest.mark.parametrize('key', [5, None, b'a'])
def test_objects_that_are_not_keys_are_not_in_a_mapping(config: Configuration, key: Any) -> None:
    assert key not in config
    with pytest.raises(TypeError):
        config[key]
