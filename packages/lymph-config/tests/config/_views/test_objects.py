from __future__ import annotations

import datetime
import threading
from collections.abc import Callable
from typing import Any

import pytest

from lymph.config import Configuration, ConfigurationError, ConfigView

Load = Callable[..., Configuration]
Write = Callable[[str, str], object]

SHELF = """
from __future__ import annotations


class Plain:
    def __init__(self, **arguments):
        self.arguments = arguments


class Strict:
    def __init__(self, hosts, timeout=1.0):
        self.hosts = hosts


class Built:
    @classmethod
    def from_config(cls, config, **kwargs):
        self = cls()
        self.config, self.kwargs = config, kwargs
        return self


class Needy:
    @classmethod
    def from_config(cls, config):
        self = cls()
        self.client = config.create_instance('client')
        return self


class Failing:
    def __init__(self):
        raise TypeError('from inside')


def function(**arguments):
    return arguments


NUMBER = 5
"""


@pytest.fixture(autouse=True)
def shelf(module: Write) -> None:
    module('shelf', SHELF)


def test_the_example_of_the_manual(load: Load) -> None:
    config = load('foo:\n class: shelf:Built\n extra_arg: 42\n')
    made = config.create_instance('foo', bar=True)
    assert isinstance(made.config, ConfigView)
    assert made.config['extra_arg'] == 42
    assert made.config.root is config
    assert made.kwargs == {'bar': True}


def test_a_plain_factory_gets_the_values_as_keyword_arguments(load: Load) -> None:
    config = load('foo: {class: shelf.Plain, a: {b: [1, {c: 2}]}, d: 3}')
    made = config.create_instance('foo', d=4, e=5)
    assert made.arguments == {'a': {'b': [1, {'c': 2}]}, 'd': 4, 'e': 5}
    assert type(made.arguments['a']) is dict
    assert type(made.arguments['a']['b'][1]) is dict


def test_dependency_replaced_by_an_argument_is_not_made(load: Load) -> None:
    config = load('foo: {class: "shelf:function", a: dep:nobody, b: 1}')
    assert config.create_instance('foo', a=2) == {'a': 2, 'b': 1}


def test_each_creation_returns_a_new_object_with_its_own_values(load: Load) -> None:
    config = load('foo: {class: "shelf:Plain", a: []}')
    first, second = config.create_instance('foo'), config.create_instance('foo')
    first.arguments['a'].append(1)
    assert second.arguments == {'a': []}
    assert config.get_raw('foo.a') == []


@pytest.mark.parametrize('text', ['x: 1', 'foo:', 'foo: {}'])
@pytest.mark.parametrize('default', ['datetime:date', 'datetime.date', datetime.date])
def test_section_without_a_class_makes_the_default(load: Load, text: str, default: object) -> None:
    made = load(text).create_instance('foo', default, year=2016, month=2, day=19)
    assert made == datetime.date(2016, 2, 19)


def test_class_in_the_configuration_wins_over_the_default(load: Load) -> None:
    assert load('foo: {class: "shelf:function", a: 1}').create_instance('foo', dict) == {'a': 1}


def test_from_config_gets_an_empty_view_for_a_missing_section() -> None:
    made = Configuration().create_instance('foo', 'shelf:Built')
    assert list(made.config) == []


def test_a_class_may_be_given_from_python_code() -> None:
    assert Configuration({'foo': {'class': dict, 'a': 1}}).create_instance('foo') == {'a': 1}


@pytest.mark.parametrize('key', [['interfaces', 'echo@1.5.0'], ('interfaces', 'echo@1.5.0')])
def test_a_key_with_dots_is_taken_as_a_path(load: Load, key: Any) -> None:
    config = load('interfaces: {echo@1.5.0: {class: "shelf:function", a: 1}}')
    assert config.create_instance(key) == {'a': 1}
    assert config['interfaces'].create_instance(['echo@1.5.0']) == {'a': 1}
    assert config['interfaces']['echo@1.5.0'].create_instance(()) == {'a': 1}
    assert config.get_instance(key) is config['interfaces'].get_instance('echo@1.5.0')


@pytest.mark.parametrize(
    ('text', 'error'),
    [
        ('x: 1', 'conf.yml: foo.class: expected a reference package.module:Name, found nothing'),
        ('foo: {a: 1}', 'conf.yml:1: foo.class: expected a reference package.module:Name, found'),
        ('foo:\n  class: 5', 'conf.yml:2: foo.class: expected a reference package.module:Name, fo'),
        ('foo: text', "conf.yml:1: foo: expected a mapping with 'class' in it, found text 'text'"),
        ('foo:\n  class: Echo', "conf.yml:2: foo.class: 'Echo' is not of the form package.module"),
        ('foo:\n  class: nix:X', "conf.yml:2: foo.class: 'nix:X': no module 'nix'; check its name"),
        (
            'foo:\n  class: shelf:Plane',
            "conf.yml:2: foo.class: 'shelf:Plane': no 'Plane' in module 'shelf'; did you mean 'Pl",
        ),
        (
            'foo:\n  class: shelf:NUMBER',
            'conf.yml:2: foo.class: expected a class or a function, found the number 5',
        ),
        (
            'a: 1\nfoo:\n  class: shelf:Strict\n  hostss: x',
            'conf.yml:2: foo: Strict cannot be called with hostss: ',
        ),
        ('foo: {class: "shelf:Strict"}', 'conf.yml:1: foo: Strict cannot be called with no argum'),
    ],
)
def test_object_that_cannot_be_made_is_rejected_with_its_place(
    load: Load, text: str, error: str
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(text).create_instance('foo')
    assert str(caught.value).startswith(error)


def test_an_error_of_the_factory_passes_unchanged(load: Load) -> None:
    with pytest.raises(TypeError, match=r'^from inside$'):
        load('foo: {class: "shelf:Failing"}').create_instance('foo')


def test_an_import_error_of_the_module_passes_unchanged(load: Load, module: Write) -> None:
    module('needs_more', 'import not_installed_anywhere')
    with pytest.raises(ModuleNotFoundError, match='not_installed_anywhere'):
        load('foo: {class: "needs_more:X"}').create_instance('foo')


def test_get_instance_makes_one_object_for_each_key(load: Load) -> None:
    config = load('a: {x: {class: "shelf:Plain"}, y: {class: "shelf:Plain"}}')
    first = config.get_instance('a.x', 'shelf:Plain', z=1)
    assert config.get_instance('a.x', 'shelf:Plain', z=2) is first
    assert config['a'].get_instance('x') is first
    assert config.get_instance('a.y') is not first
    assert config.create_instance('a.x') is not first


def test_a_failed_attempt_can_be_repeated(load: Load) -> None:
    config = load('foo: {class: "shelf:Strict"}')
    with pytest.raises(ConfigurationError):
        config.get_instance('foo')
    config.set('foo.hosts', 'x')
    assert config.get_instance('foo').hosts == 'x'


DEPENDENCIES = """
dependencies:
  kazoo:
    class: shelf:Plain
    hosts: 120.0.0.1:2181
  dotted.name:
    class: shelf:Plain
  alias: dep:kazoo
  user:
    class: shelf:Plain
    client: dep:kazoo
registry:
  class: shelf:Needy
  client: dep:kazoo
plain:
  class: shelf:Plain
  client: dep:kazoo
  nested: {list: [1, dep:kazoo, {deep: dep:alias}]}
dotted: dep:dotted.name
user: dep:user
"""


def test_a_dependency_is_one_object_wherever_it_is_named(load: Load) -> None:
    config = load(DEPENDENCIES)
    kazoo = config.create_instance('registry').client
    assert kazoo.arguments == {'hosts': '120.0.0.1:2181'}
    arguments = config.create_instance('plain').arguments
    places = [
        arguments['client'],
        arguments['nested']['list'][1],
        arguments['nested']['list'][2]['deep'],
        config['registry.client'],
        config['plain.nested.list'][1],
        config.get('plain.nested.list')[2]['deep'],
        config.get_list('plain.nested.list')[1],
        config.get('plain.nested.list.1'),
        config.get_instance('registry.client'),
        config.get_instance('dependencies.kazoo'),
        config.create_instance('registry.client', ignored=True),
        config['user'].arguments['client'],
    ]
    assert all(place is kazoo for place in places)


def test_a_dependency_may_have_dots_in_its_name(load: Load) -> None:
    config = load(DEPENDENCIES)
    assert config['dotted'] is config.create_instance('dotted') is config['dotted']


def test_dependency_is_created_on_first_use(load: Load) -> None:
    config = load('dependencies: {bad: {class: "nix:X"}}\na: dep:bad\nl: [dep:bad]')
    assert config.get_raw('a') == 'dep:bad'
    assert config.get_raw(()) == {
        'dependencies': {'bad': {'class': 'nix:X'}},
        'a': 'dep:bad',
        'l': ['dep:bad'],
    }
    assert 'a' in config
    with pytest.raises(ConfigurationError, match=r"^conf.yml:1: dependencies.bad.class: 'nix:X'"):
        config['a']


@pytest.mark.parametrize(
    ('text', 'error'),
    [
        (
            'a:\n  b: dep:kazo',
            "conf.yml:2: a.b: no dependency 'kazo' (defined: none); define it un",
        ),
        (
            'a:\n  b: dep:kazo\ndependencies: {kazoo: {class: "shelf:Plain"}}',
            "conf.yml:2: a.b: no dependency 'kazo' (defined: kazoo); did you mean 'kazoo'?",
        ),
        (
            'a:\n  b: dep:x\ndependencies: 5',
            "conf.yml:3: dependencies: expected a mapping with 'x' in it, found the number 5",
        ),
        (
            'a: {b: dep:x}\ndependencies:\n  x: {class: "shelf:Plain", y: dep:y}\n'
            '  y: {class: "shelf:Plain", z: [dep:z]}\n  z: {class: "shelf:Plain", x: dep:x}',
            'conf.yml:5: dependencies.z.x: leads in a circle: dep:x -> dep:y -> dep:z -> dep:x; br',
        ),
        (
            'a: {b: dep:x}\ndependencies:\n  x: dep:x',
            'conf.yml:3: dependencies.x: leads in a circle: dep:x -> dep:x; break it',
        ),
        (
            'a: {b: dep:x}\ndependencies:\n  x: {class: "shelf:Needy", client: dep:x}',
            'conf.yml:3: dependencies.x.client: leads in a circle: dep:x -> dep:x; break it',
        ),
        ('a: {b: dep:x}\ndependencies:\n  x:', 'conf.yml:3: dependencies.x.class: expected a refe'),
    ],
)
def test_dependency_that_cannot_be_made_is_rejected(load: Load, text: str, error: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load(text).get('a.b')
    assert str(caught.value).startswith(error)


def test_concurrent_threads_get_one_object() -> None:
    made: list[object] = []
    everyone_is_asking = threading.Barrier(4)
    a_second_is_made = threading.Event()

    class Slow:
        def __init__(self) -> None:
            made.append(self)
            if len(made) > 1:
                a_second_is_made.set()
            a_second_is_made.wait(0.2)

    config = Configuration({'dependencies': {'slow': {'class': Slow}}, 'a': 'dep:slow'})
    found: list[object] = []

    def ask() -> None:
        everyone_is_asking.wait()
        found.append(config['a'])

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(made) == 1
    assert found == made * 4


def test_a_group_names_plugins_and_checks_them(
    load: Load,
    module: Write,
    publish: Callable[..., object],
    contract: Callable[[str, str], None],
) -> None:
    module('backends', 'class Base: pass\nclass Good(Base): pass\nclass Bad: pass')
    publish('backend-good', '1.0', '[test.group]\ngood = backends:Good\n')
    contract('test.group', "'backends:Base'")
    config = load('a: {class: good}\nb: {class: "backends:Bad"}\nc:\n  class: god\nd: {x: 1}')
    assert type(config.create_instance('a', group='test.group')).__name__ == 'Good'
    assert type(config.get_instance('x', 'good', group='test.group')).__name__ == 'Good'
    for key, error in {
        'b': "conf.yml:2: b.class: 'backends:Bad' in group test.group must be a subclass of backe",
        'c': "conf.yml:4: c.class: no plugin 'god' in group test.group (installed: good); did you",
        'd': 'conf.yml:5: d.class: expected a plugin of group test.group (installed: good) or',
    }.items():
        with pytest.raises(ConfigurationError) as caught:
            config.create_instance(key, group='test.group')
        assert str(caught.value).startswith(error)
