from __future__ import annotations

import io

import pytest

import lymph
from lymph.config import Configuration, ConfigurationError
from lymph.core.assembly import build_container
from lymph.core.components import Component
from lymph.core.container import ServiceContainer
from lymph.core.plugins import Plugin

HEAD = """
container:
  registry: {class: static}
  events: {class: local}
  rpc: {transport: memory}
"""


class Echo(lymph.Interface):
    config = None

    def apply_config(self, config):
        self.config = config

    @lymph.rpc()
    def echo(self, text):
        return f'{text} from {self.version}'

    @lymph.task()
    def work(self):
        pass


class NoTasks(lymph.Interface):
    pass


class Choosing(Plugin, lymph.Interceptor):
    def __init__(self, container, config=None):
        super().__init__(container, config)
        self.kinds = self.config.get('kinds')


class Noisy(Plugin):
    pass


class Part(Component):
    @classmethod
    def from_config(cls, config, **kwargs):
        part = cls(**kwargs)
        part.size = config.get_int('size')
        return part


class Special(ServiceContainer):
    pass


not_a_class = 5


@pytest.fixture
def home(request, monkeypatch):
    """Make this file importable by name, like the modules of authors."""
    monkeypatch.setitem(__import__('sys').modules, 'authors', request.module)


def build(text, **overrides):
    config = Configuration()
    config.load(io.StringIO(HEAD + text))
    container = build_container(config, **overrides)
    container.stop()
    return container


pytestmark = pytest.mark.usefixtures('home')


def test_interfaces_are_installed_under_their_names_and_versions():
    container = build("""
interfaces:
  echo: {class: 'authors:Echo', size: 5}
  echo@1.10: {class: authors.Echo}
  other@2: {class: 'authors:Echo'}
""")
    installed = [(i.name, i.version, type(i)) for i in container.interfaces]
    assert installed == [
        ('echo', None, Echo),
        ('echo', '1.10.0', Echo),
        ('other', '2.0.0', Echo),
    ]
    assert container.interfaces[0].config.get('size') == 5


def test_plugins_and_components_are_made_before_interfaces():
    container = build("""
plugins:
  noisy: {class: 'authors:Noisy', level: 3}
components:
  part: {class: 'authors:Part', size: 7}
interfaces:
  echo: {class: 'authors:Echo'}
""")
    own = [c for c in container.components if type(c) in (Noisy, Part, Echo)]
    assert [type(c) for c in own] == [Noisy, Part, Echo]
    noisy, part, _ = own
    assert (noisy.container, noisy.config.get('level')) == (container, 3)
    assert (part.parent, part.size) == (container, 7)


def test_an_empty_configuration_makes_an_empty_container():
    assert build('').interfaces == []


def test_container_may_be_of_a_custom_class():
    config = Configuration(
        {
            'container': {
                'class': 'authors:Special',
                'registry': {'class': 'static'},
                'events': {'class': 'local'},
            }
        }
    )
    container = build_container(config)
    container.stop()
    assert type(container) is Special


def test_a_container_of_another_class_is_an_error():
    config = Configuration()
    config.load(io.StringIO("container: {class: 'authors:Part', size: 1}"))
    with pytest.raises(
        ConfigurationError, match=r'^<config>:1: container\.class: expected a container'
    ):
        build_container(config)


def test_the_overrides_are_those_of_the_container():
    container = build('', ip='127.0.0.9')
    assert container.settings.ip == '127.0.0.9'


def test_a_worker_has_the_interfaces_with_tasks():
    text = """
interfaces:
  echo: {class: 'authors:Echo'}
  idle: {class: 'authors:NoTasks'}
"""
    assert [i.name for i in build(text, worker=True).interfaces] == ['echo']
    assert [i.name for i in build(text).interfaces] == ['echo', 'idle']


@pytest.mark.parametrize(
    ('text', 'said'),
    [
        ('interfaces: {echo: {}}', r'interfaces\.echo\.class: '),
        ("interfaces: {echo: {class: 'authors:Nothing'}}", r'interfaces\.echo\.class: .*Nothing'),
        (
            "interfaces: {echo: {class: 'no_such_module:X'}}",
            r'interfaces\.echo\.class: .*no_such_module',
        ),
        (
            "interfaces: {echo: {class: 'authors:Part'}}",
            r'interfaces\.echo\.class: expected a subclass of lymph\.Interface, found .*Part',
        ),
        (
            "interfaces: {echo: {class: 'authors:not_a_class'}}",
            r'interfaces\.echo\.class: expected a subclass of lymph\.Interface, found 5',
        ),
        (
            "interfaces: {echo@x: {class: 'authors:Echo'}}",
            r'interfaces\.echo@x: expected a version',
        ),
        ("interfaces: {'@1': {class: 'authors:Echo'}}", r'interfaces\.@1: expected name'),
        ("interfaces: {lymph: {class: 'authors:Echo'}}", r'interfaces\.lymph: expected a name'),
        ("interfaces: {lymph@1: {class: 'authors:Echo'}}", r'interfaces\.lymph@1: expected a name'),
        (
            "interfaces: {'a.b': {class: 'authors:Echo'}}",
            r'interfaces.*a\.b.*: expected a name without',
        ),
        (
            """interfaces: {"a\\nb": {class: 'authors:Echo'}}""",
            r"interfaces\.a\\nb: expected a name of 1 to 255 bytes .*, found 'a\\nb'$",
        ),
        ('interfaces: [echo]', r'interfaces: expected'),
        ('interfaces: {echo: 5}', r'interfaces\.echo: expected'),
        ('plugins: {nosuch: {}}', r"plugins\.nosuch.*'nosuch'"),
        ("plugins: {p: {class: 'authors:Part'}}", r'plugins\.p'),
        (
            "plugins: {c: {class: 'authors:Choosing', kinds: [rpcs]}}",
            r"plugins\.c: Choosing: expected kinds of .*, found 'rpcs'; did you mean 'rpc'\?$",
        ),
        ("components: {c: {class: 'authors:Missing'}}", r'components\.c\.class: .*Missing'),
        (
            'components: {SerialEventHandlr: {zkclient: x}}',
            r'components\.SerialEventHandlr: expected a class',
        ),
    ],
)
def test_error_names_file_line_and_key(text, said):
    with pytest.raises(ConfigurationError, match=rf'^<config>:\d+: {said}'):
        build(text)


def test_an_interface_installed_twice_is_an_error_that_names_file_and_key():
    text = """
interfaces:
  echo@1.5: {class: 'authors:Echo'}
  echo@1.5.0: {class: 'authors:Echo'}
"""
    with pytest.raises(
        ConfigurationError, match=r'^<config>:\d+: interfaces\.echo@1\.5\.0: .*twice'
    ):
        build(text)


def test_invalid_component_is_an_error_that_names_file_and_key():
    with pytest.raises(
        ConfigurationError, match=r'^<config>:\d+: components\.c\.class: expected a component'
    ):
        build("components: {c: {class: 'collections:OrderedDict'}}")


def test_a_worker_without_tasks_is_an_error_that_names_the_interfaces():
    with pytest.raises(ConfigurationError, match=r'interfaces: expected an interface with tasks'):
        build("interfaces: {idle: {class: 'authors:NoTasks'}}", worker=True)
