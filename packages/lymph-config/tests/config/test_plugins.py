from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lymph.config import Location, PluginError, Position, plugins
from lymph.config.plugins import CONTRACTS, Contract, installed, load_plugin

Write = Callable[[str, str], object]
Publish = Callable[..., Path]

GROUP = 'test.discovery'
WHERE = Location('container.registry.class', Position('conf.yml', 3))

BACKENDS = """
from abc import ABC, abstractmethod


class Base(ABC):
    @abstractmethod
    def discover(self): ...

    @abstractmethod
    def register(self): ...


class Good(Base):
    def discover(self): ...
    def register(self): ...


class Half(Base):
    def discover(self): ...


class Stranger: ...


def function(): ...


command = Good()
"""


@pytest.fixture(autouse=True)
def backends(module: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    module('backends', BACKENDS)
    monkeypatch.setitem(CONTRACTS, GROUP, Contract('backends:Base'))


def error_of(name: str, group: str = GROUP) -> str:
    with pytest.raises(PluginError) as caught:
        load_plugin(group, name, where=WHERE)
    return str(caught.value)


def test_a_plugin_is_loaded_by_its_name_or_by_reference(publish: Publish) -> None:
    publish('good-dist', '1.2', f'[{GROUP}]\ngood = backends:Good\n')
    found = load_plugin(GROUP, 'good')
    assert isinstance(found, type)
    assert found.__name__ == 'Good'
    assert load_plugin(GROUP, 'backends:Good') is found
    assert load_plugin(GROUP, 'backends.Good') is found


def test_installed_plugins_tell_where_they_come_from_before_they_are_loaded(
    publish: Publish,
) -> None:
    publish('b-dist', '2.0', f'[{GROUP}]\nzebra = nowhere_to_be:X\n')
    publish('a-dist', '1.2', f'[{GROUP}]\nape = backends : Good [extra]\n[other]\nx = y:z\n')
    found = installed(GROUP)
    assert list(found) == ['ape', 'zebra']
    ape = found['ape']
    assert (ape.group, ape.name, ape.reference) == (GROUP, 'ape', 'backends:Good')
    assert (ape.distribution, ape.version, ape.origin) == ('a-dist', '1.2', 'a-dist 1.2')
    assert str(ape) == "plugin 'ape' in group test.discovery (from a-dist 1.2)"


def test_a_misspelt_name_is_answered_with_the_installed_ones(publish: Publish) -> None:
    for name in ('static', 'embedded', 'zookeeper'):
        publish(f'{name}-dist', '1', f'[{GROUP}]\n{name} = backends:Good\n')
    assert error_of('zookeper') == (
        "conf.yml:3: container.registry.class: no plugin 'zookeper' in group test.discovery "
        "(installed: embedded, static, zookeeper); did you mean 'zookeeper'?"
    )
    assert error_of('consul').endswith(
        '(installed: embedded, static, zookeeper); or give it as pkg.mod:Name'
    )


@pytest.mark.parametrize(
    ('name', 'breach'),
    [
        ('Stranger', 'must be a subclass of backends:Base, found the class backends.Stranger'),
        ('function', 'must be a subclass of backends:Base, found the function backends.function'),
        ('command', 'must be a subclass of backends:Base, found an instance of backends.Good'),
        ('Half', 'must define what backends:Base leaves open, misses register'),
    ],
)
def test_what_breaks_the_contract_is_refused_with_its_distribution(
    publish: Publish, name: str, breach: str
) -> None:
    publish('bad-dist', '0.1', f'[{GROUP}]\nbad = backends:{name}\n')
    assert error_of('bad').startswith(
        f"conf.yml:3: container.registry.class: plugin 'bad' in group test.discovery "
        f'(from bad-dist 0.1) {breach}'
    )
    assert error_of(f'backends:{name}').startswith(
        f"conf.yml:3: container.registry.class: 'backends:{name}' in group test.discovery {breach}"
    )


def test_a_contract_may_ask_for_instances(
    publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(CONTRACTS, GROUP, Contract('backends:Base', instance=True))
    publish('cli-dist', '1', f'[{GROUP}]\ngood = backends:command\nbad = backends:Good\n')
    assert type(load_plugin(GROUP, 'good')).__name__ == 'Good'
    assert 'must be an instance of backends:Base, found the class backends.Good' in error_of('bad')


def test_a_group_without_a_contract_takes_everything(publish: Publish) -> None:
    publish('any-dist', '1', '[test.any]\nfunction = backends:function\n')
    assert callable(load_plugin('test.any', 'function'))


def test_a_plugin_whose_import_fails_is_named_with_its_distribution_and_the_cause(
    publish: Publish, module: Write
) -> None:
    module('needs_kazoo', 'import kazoo_that_is_not_there')
    publish('needy-dist', '3', f'[{GROUP}]\nneedy = needs_kazoo:Registry\n')
    with pytest.raises(PluginError) as caught:
        load_plugin(GROUP, 'needy', where=WHERE)
    assert str(caught.value) == (
        "conf.yml:3: container.registry.class: plugin 'needy' in group test.discovery "
        '(from needy-dist 3) cannot be loaded: ModuleNotFoundError: '
        "No module named 'kazoo_that_is_not_there'"
    )
    assert isinstance(caught.value.__cause__, ModuleNotFoundError)


def test_one_broken_plugin_does_not_disturb_the_others(publish: Publish, module: Write) -> None:
    module('explodes', 'raise RuntimeError("two\\nlines")')
    publish(
        'mixed-dist',
        '1',
        f'[{GROUP}]\ngood = backends:Good\nboom = explodes:X\ngone = nowhere_to_be:X\n'
        'bad = backends:Stranger\nshapeless = backends\n',
    )
    reasons = {name: plugin.broken for name, plugin in installed(GROUP).items()}
    assert reasons.pop('good') is None
    prefixes = {
        'boom': 'cannot be loaded: RuntimeError: two',
        'gone': "cannot be loaded: 'nowhere_to_be:X': no module 'nowhere_to_be'; check its name, "
        'and that it is installed or on PYTHONPATH',
        'bad': 'must be a subclass of backends:Base, found the class backends.Stranger',
        'shapeless': "cannot be loaded: 'backends' is not of the form package.module:Name",
    }
    assert reasons == {
        name: f'plugin {name!r} in group test.discovery (from mixed-dist 1) {text}'
        for name, text in prefixes.items()
    }
    assert load_plugin(GROUP, 'good')


def test_two_plugins_of_one_name_are_an_error_only_when_it_is_asked_for(publish: Publish) -> None:
    publish('one-dist', '1', f'[{GROUP}]\nsame = backends:Good\nmine = backends:Good\n')
    publish('two-dist', '2', f'[{GROUP}]\nsame = backends:Good\n')
    claim = (
        "plugin 'same' in group test.discovery is published by one-dist 1 and two-dist 2; "
        'uninstall one, or name the class as pkg.mod:Name'
    )
    assert error_of('same') == f'conf.yml:3: container.registry.class: {claim}'
    assert installed(GROUP)['same'].broken == claim
    assert load_plugin(GROUP, 'mine') is load_plugin(GROUP, 'backends:Good')


@pytest.mark.parametrize('name', ['twice_dist', 'Twice-Dist', 'twice.dist'])
def test_a_distribution_found_twice_is_no_conflict(publish: Publish, name: str) -> None:
    publish('twice-dist', '1', f'[{GROUP}]\ngood = nowhere:X\nold = nowhere:X\n', folder='wheel')
    publish(name, '2', f'[{GROUP}]\ngood = backends:Good\n', folder='editable')
    found = installed(GROUP)
    assert list(found) == ['good']
    assert found['good'].version == '2'
    assert found['good'].broken is None


@pytest.mark.parametrize('damage', ['entry_points.txt', 'METADATA'])
def test_a_damaged_distribution_does_not_hide_the_others(publish: Publish, damage: str) -> None:
    publish('good-dist', '1', f'[{GROUP}]\ngood = backends:Good\n')
    info = publish('bad-dist', '1', f'[{GROUP}]\nbad = backends:Good\n')
    if damage == 'METADATA':
        (info / damage).unlink()
    else:
        (info / damage).write_bytes(b'[x]\n\xff = y:z\n')
    plugins.refresh()
    assert list(installed(GROUP)) == ['good']


def test_the_environment_is_searched_again_after_a_refresh(publish: Publish) -> None:
    info = publish('grows-dist', '1', f'[{GROUP}]\none = backends:Good\n')
    assert list(installed(GROUP)) == ['one']
    (info / 'entry_points.txt').write_text(f'[{GROUP}]\ntwo = backends:Good\n', encoding='utf-8')
    assert list(installed(GROUP)) == ['one']
    plugins.refresh()
    assert list(installed(GROUP)) == ['two']


def test_what_installed_returns_belongs_to_the_caller(publish: Publish) -> None:
    publish('good-dist', '1', f'[{GROUP}]\ngood = backends:Good\n')
    installed(GROUP).clear()
    assert list(installed(GROUP)) == ['good']


def test_a_contract_that_is_no_class_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTRACTS, GROUP, Contract('backends:command'))
    assert error_of('backends:Good').endswith(": 'backends:command' is not a class")


@pytest.mark.parametrize(
    'group',
    [
        'lymph.cli',
        'lymph.discovery',
        'lymph.doctor',
        'lymph.events',
        'lymph.partitioners',
        'lymph.plugins',
        'lymph.transports',
    ],
)
def test_every_group_of_lymph_has_a_contract(group: str) -> None:
    assert group in CONTRACTS
