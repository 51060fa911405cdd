from __future__ import annotations

import re
import sys
from collections import OrderedDict
from collections.abc import Callable, Mapping
from importlib import import_module
from pathlib import Path

import pytest

from lymph.config import Location, PluginError, Position, plugins
from lymph.config.plugins import installed, load_plugin

Write = Callable[[str, str], object]
Publish = Callable[..., Path]
Contracts = Callable[[str, str], None]

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
def backends(module: Write, contract: Contracts) -> None:
    module('backends', BACKENDS)
    contract(GROUP, "'backends:Base'")


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


def test_installed_plugins_have_their_origin_before_they_are_loaded(
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


def test_misspelt_plugin_error_lists_the_installed_ones(publish: Publish) -> None:
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
def test_plugin_that_breaks_the_contract_is_rejected_with_its_distribution(
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


def test_contract_may_require_instances(publish: Publish, contract: Contracts) -> None:
    contract('test.cli', "'backends:Base', instance=True")
    publish('cli-dist', '1', '[test.cli]\ngood = backends:command\nbad = backends:Good\n')
    assert type(load_plugin('test.cli', 'good')).__name__ == 'Good'
    error = error_of('bad', 'test.cli')
    assert 'must be an instance of backends:Base, found the class backends.Good' in error


def test_group_without_a_contract_accepts_everything(publish: Publish) -> None:
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


def test_broken_plugin_does_not_affect_the_others(publish: Publish, module: Write) -> None:
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


def test_two_plugins_of_one_name_are_an_error_only_when_loaded(publish: Publish) -> None:
    publish('one-dist', '1', f'[{GROUP}]\nsame = backends:Good\nmine = backends:Good\n')
    publish('two-dist', '2', f'[{GROUP}]\nsame = backends:Good\n')
    claim = (
        "plugin 'same' in group test.discovery is published by one-dist 1 and two-dist 2; "
        'uninstall one'
    )
    assert error_of('same') == (
        f'conf.yml:3: container.registry.class: {claim}, or name the class as pkg.mod:Name'
    )
    assert installed(GROUP)['same'].broken == claim
    assert load_plugin(GROUP, 'mine') is load_plugin(GROUP, 'backends:Good')


def test_one_distribution_that_publishes_a_name_twice_is_named_once(publish: Publish) -> None:
    publish('one-dist', '1', f'[{GROUP}]\nsame = backends:Good\nsame = backends:Half\n')
    assert error_of('same').endswith(
        "plugin 'same' in group test.discovery is published more than once by one-dist 1; "
        'uninstall it, or name the class as pkg.mod:Name'
    )


@pytest.mark.parametrize('name', ['twice_dist', 'Twice-Dist', 'twice.dist'])
def test_distribution_found_twice_is_not_a_conflict(publish: Publish, name: str) -> None:
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


def test_result_of_installed_may_be_changed_by_the_caller(publish: Publish) -> None:
    publish('good-dist', '1', f'[{GROUP}]\ngood = backends:Good\n')
    installed(GROUP).clear()
    assert list(installed(GROUP)) == ['good']


def test_contract_that_names_no_class_is_rejected(contract: Contracts) -> None:
    contract('test.odd', "'backends:command'")
    error = error_of('backends:Good', 'test.odd')
    assert error.endswith(": 'backends:command' is not a class")


def test_plugin_known_to_the_owner_of_the_group_is_named_with_its_distribution(
    publish: Publish, contract: Contracts
) -> None:
    contract('test.known', "'backends:Base', known={'consul': 'dist-consul', 'good': 'x'}")
    publish('good-dist', '1', '[test.known]\ngood = backends:Good\n')
    place = 'conf.yml:3: container.registry.class: '
    assert error_of('consul', 'test.known') == (
        f"{place}'consul' is provided by dist-consul, which is not installed"
    )
    assert error_of('consull', 'test.known') == (
        f"{place}no plugin 'consull' in group test.known (installed: good); did you mean 'consul'? "
        'It is provided by dist-consul, which is not installed'
    )
    assert load_plugin('test.known', 'good')


@pytest.mark.parametrize(
    ('value', 'error'),
    [
        (
            'backends:Base',
            'must be an instance of lymph.config.plugins:Contract, found the class backends.Base',
        ),
        ('nowhere_to_be:X', "cannot be loaded: 'nowhere_to_be:X': no module 'nowhere_to_be'"),
    ],
)
def test_invalid_contract_is_an_error_that_names_its_distribution(
    publish: Publish, value: str, error: str
) -> None:
    publish('odd-owner', '3', f'[lymph.contracts]\ntest.broken = {value}\n')
    found = error_of('backends:Good', 'test.broken')
    assert f"plugin 'test.broken' in group lymph.contracts (from odd-owner 3) {error}" in found


@pytest.mark.parametrize('name', ['good', 'backends:Good'])
def test_two_contracts_of_one_group_are_an_error_that_names_both_distributions(
    publish: Publish, name: str
) -> None:
    publish('good-dist', '1', f'[{GROUP}]\ngood = backends:Good\n')
    publish('other-owner', '2', f'[lymph.contracts]\n{GROUP} = backends:Base\n')
    assert error_of(name) == (
        f'conf.yml:3: container.registry.class: plugin {GROUP!r} in group lymph.contracts is '
        'published by other-owner 2 and owner-of-test.discovery 1; uninstall one'
    )


@pytest.mark.parametrize('name', ['good', 'backends:Good'])
@pytest.mark.parametrize(
    ('arguments', 'error'),
    [
        ("'ends_at_import:Base'", "'ends_at_import:Base' cannot be loaded: SystemExit: 3"),
        ("'nowhere_to_be:X'", "'nowhere_to_be:X': no module "),
        ('5', '5 cannot be loaded: AttributeError'),
    ],
)
def test_contract_whose_class_cannot_be_loaded_is_named_with_its_distribution(
    publish: Publish, contract: Contracts, module: Write, name: str, arguments: str, error: str
) -> None:
    module('ends_at_import', 'raise SystemExit(3)')
    contract('test.odd', arguments)
    publish('good-dist', '1', '[test.odd]\ngood = backends:Good\n')
    assert error_of(name, 'test.odd').startswith(
        "conf.yml:3: container.registry.class: plugin 'test.odd' in group lymph.contracts "
        f'(from owner-of-test.odd 1): {error}'
    )


@pytest.mark.parametrize('known', ['5', "{5: 'dist'}", "['dist']"])
def test_contract_with_malformed_known_plugins_is_an_error_that_names_its_distribution(
    contract: Contracts, known: str
) -> None:
    contract('test.odd', f"'backends:Base', known={known}")
    assert error_of('good', 'test.odd').startswith(
        "conf.yml:3: container.registry.class: plugin 'test.odd' in group lymph.contracts (from "
        'owner-of-test.odd 1): expected a mapping of names to distributions as known, found '
    )


def test_class_that_cannot_be_compared_is_an_error_that_names_it(
    publish: Publish, contract: Contracts, module: Write
) -> None:
    module(
        'odd_classes',
        'from typing import Protocol\n'
        'class Unchecked(Protocol): ...\n'
        'class Unbound:\n'
        '    @property\n'
        '    def __class__(self): raise SystemExit("outside of a request")\n'
        'unbound = Unbound()\n',
    )
    contract('test.odd', "'odd_classes:Unchecked'")
    publish('good-dist', '1', '[test.odd]\ngood = backends:Good\nodd = odd_classes:unbound\n')
    for name in ('good', 'backends:Good'):
        error = error_of(name, 'test.odd')
        assert 'cannot be compared with odd_classes:Unchecked: TypeError: ' in error
    with pytest.raises(PluginError, match='compared with builtins:int: SystemExit: outside of a r'):
        installed('test.odd')['odd'].load_object(int)


def test_error_whose_text_ends_the_process_is_named_by_its_class(
    publish: Publish, module: Write
) -> None:
    module(
        'deadly',
        'class Deadly(Exception):\n    def __str__(self): raise SystemExit(9)\nraise Deadly',
    )
    publish('bad-dist', '1', f'[{GROUP}]\nbad = deadly:X\n')
    assert error_of('bad').endswith('(from bad-dist 1) cannot be loaded: Deadly')


@pytest.mark.parametrize('kind', ['text', (int, str), 5])
def test_kind_that_is_not_a_class_raises_type_error(publish: Publish, kind: type) -> None:
    publish('good-dist', '1', f'[{GROUP}]\ngood = backends:Good\n')
    for name in ('good', 'backends:Good'):
        with pytest.raises(TypeError, match='expected a class as kind, found '):
            load_plugin(GROUP, name, kind=kind)


@pytest.mark.parametrize('group', [GROUP, 'lymph.contracts'])
def test_kind_is_checked_although_the_contract_is_damaged(publish: Publish, group: str) -> None:
    publish('odd-owner', '3', f'[lymph.contracts]\n{group} = backends:Base\n')
    publish('bad-dist', '1', f'[{group}]\nbad = backends:Base\n')
    with pytest.raises(PluginError, match='must be a subclass of builtins:str, found the class '):
        load_plugin(group, 'bad', kind=str)


def test_a_kind_is_checked_instead_of_the_contract(publish: Publish) -> None:
    publish('mixed-dist', '1', f'[{GROUP}]\nodd = builtins:dict\nhalf = backends:Half\n')
    kind: type[Mapping[str, str]] = load_plugin(GROUP, 'odd', kind=Mapping)
    assert kind is dict
    assert load_plugin(GROUP, 'collections:OrderedDict', kind=dict) is OrderedDict
    for name, error in {
        'odd': 'must be a subclass of builtins:str, found the class builtins.dict',
        'half': 'must be a subclass of builtins:str, found the class backends.Half',
        'builtins:len': 'must be a subclass of builtins:str, found an instance of builtins.built',
    }.items():
        with pytest.raises(PluginError, match=re.escape(error)):
            load_plugin(GROUP, name, kind=str)
    with pytest.raises(PluginError, match='must define what backends:Base leaves open, misses reg'):
        load_plugin(GROUP, 'half', kind=import_module('backends').Base)


def test_plugin_may_be_required_to_be_an_instance(publish: Publish) -> None:
    publish('any-dist', '1', '[test.any]\nnumber = sys:maxsize\n')
    plugin = installed('test.any')['number']
    number: int = plugin.load_object(int)
    assert number == sys.maxsize
    with pytest.raises(PluginError) as caught:
        plugin.load_object(str, where=WHERE)
    assert str(caught.value) == (
        f"{WHERE}: plugin 'number' in group test.any (from any-dist 1) "
        f'must be an instance of builtins:str, found {sys.maxsize}'
    )
