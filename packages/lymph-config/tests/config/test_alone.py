"""Behaviour where lymph-config is the only distribution of lymph."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Alone = Callable[[str], str]

MODULES = """
import sys, json, lymph.config, lymph.config.plugins
{then}
print(json.dumps(list(sys.modules)))
"""
EVERYTHING = '[getattr(lymph.config, name) for name in lymph.config.__all__]'

ERROR = """
from lymph.config import Configuration, ConfigurationError
config = Configuration({{'container': {{{key!r}: {{'class': {name!r}}}}}}})
try:
    config.create_instance('container.{key}', group={group!r})
except ConfigurationError as error:
    print(error)
"""


#: What the distribution that owns lymph's groups and packages publishes.
OWNER = """
from lymph.config.plugins import Contract
REGISTRIES = Contract('lymph.discovery.base:Base', known={'zookeeper': 'lymph-discovery-zk'})
EVENT_SYSTEMS = Contract('lymph.events.base:BaseEventSystem', known={'kombu': 'lymph-events-kombu'})
PACKAGES = {
    'lymph.client': 'lymph-core',
    'lymph.discovery.zookeeper': 'lymph-discovery-zk',
    'lymph.events.base': 'lymph-core',
    'lymph.events.kombu': 'lymph-events-kombu',
    'lymph.events.local': 'lymph-core',
    'lymph.testing': 'lymph-testing',
    'lymph.web': 'lymph-web',
}
"""
PUBLISHED = """
[lymph.contracts]
lymph.discovery = owner:REGISTRIES
lymph.events = owner:EVENT_SYSTEMS
[lymph.packages]
lymph = owner:PACKAGES
"""


@pytest.fixture
def owner(alone: Alone, tmp_path: Path) -> Path:
    """Install the owner of lymph's groups beside lymph-config; return its metadata's folder."""
    info = tmp_path / 'site' / 'owner-1.dist-info'
    info.mkdir()
    (info.parent / 'owner.py').write_text(OWNER)
    (info / 'METADATA').write_text('Name: owner\nVersion: 1\n')
    (info / 'entry_points.txt').write_text(PUBLISHED)
    return info


def loaded_by_config(modules: list[str]) -> set[str]:
    heavy = ('gevent', 'zmq', 'kazoo', 'kombu', 'click', 'werkzeug', 'msgpack')
    return {
        name
        for name in modules
        if name.partition('.')[0] in heavy
        or (name.startswith('lymph.') and not f'{name}.'.startswith('lymph.config.'))
    }


def test_importing_config_loads_no_other_distribution(alone: Alone) -> None:
    modules = json.loads(alone(MODULES.format(then=EVERYTHING)))
    assert 'lymph.config._views.views' in modules
    assert loaded_by_config(modules) == set()


def test_importing_config_loads_no_other_distribution_that_is_installed() -> None:
    done = subprocess.run(
        [sys.executable, '-c', MODULES.format(then=EVERYTHING)],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert loaded_by_config(json.loads(done.stdout)) == set()


def test_errors_and_plugins_work_without_yaml_and_metadata_parsers(alone: Alone) -> None:
    then = "lymph.config.LymphError; lymph.config.plugins.installed('lymph.events')"
    modules = set(json.loads(alone(MODULES.format(then=then))))
    assert 'lymph.config.exceptions' in modules
    assert not modules & {'yaml', 'email', 'importlib.metadata', 'logging', 'difflib'}


@pytest.mark.parametrize(
    ('key', 'name', 'error'),
    [
        ('events', 'kombu', "'kombu' is provided by lymph-events-kombu, which is not installed"),
        (
            'registry',
            'zookeeper',
            "'zookeeper' is provided by lymph-discovery-zk, which is not installed",
        ),
        (
            'registry',
            'lymph.discovery.zookeeper:ZookeeperServiceRegistry',
            "'lymph.discovery.zookeeper:ZookeeperServiceRegistry' is provided by "
            'lymph-discovery-zk, which is not installed',
        ),
        (
            'events',
            'lymph.events.kombu.KombuEventSystem',
            "'lymph.events.kombu.KombuEventSystem' is provided by lymph-events-kombu, "
            'which is not installed',
        ),
        (
            'events',
            'lymph.events.local:LocalEventSystem',
            "'lymph.events.local:LocalEventSystem' is provided by lymph-core, which is not "
            'installed',
        ),
        (
            'events',
            'kombuu',
            "no plugin 'kombuu' in group lymph.events (none is installed); did you mean 'kombu'? "
            'It is provided by lymph-events-kombu, which is not installed',
        ),
        (
            'events',
            'redis',
            "no plugin 'redis' in group lymph.events (none is installed); or give it as "
            'pkg.mod:Name',
        ),
    ],
)
@pytest.mark.usefixtures('owner')
def test_backend_that_is_not_installed_is_named_with_its_distribution(
    alone: Alone, key: str, name: str, error: str
) -> None:
    group = {'events': 'lymph.events', 'registry': 'lymph.discovery'}[key]
    printed = alone(ERROR.format(key=key, name=name, group=group))
    assert printed == f'container.{key}.class: {error}'


@pytest.mark.parametrize('damage', ['nothing', 'owner.py', 'entry_points.txt'])
def test_without_an_owner_an_error_names_the_missing_module(
    alone: Alone, owner: Path, damage: str
) -> None:
    if damage == 'owner.py':
        (owner.parent / damage).write_text('1 / 0')
    else:
        (owner / 'entry_points.txt').write_text('' if damage == 'nothing' else '[x]\ny')
    printed = alone(ERROR.format(key='x', name='lymph.web:Pages', group='test.group'))
    assert printed == (
        "container.x.class: 'lymph.web:Pages': no module 'lymph.web'; check its name, and that it "
        'is installed or on PYTHONPATH'
    )


@pytest.mark.usefixtures('owner')
def test_a_module_missing_from_an_installed_distribution_is_not_called_uninstalled(
    alone: Alone, tmp_path: Path
) -> None:
    package = tmp_path / 'site' / 'lymph' / 'web'
    package.mkdir(parents=True)
    (package / '__init__.py').touch()
    printed = alone(ERROR.format(key='x', name='lymph.web.nothing:Here', group='test.group'))
    assert printed.startswith(
        "container.x.class: 'lymph.web.nothing:Here': no module 'lymph.web.nothing'; check"
    )


@pytest.mark.parametrize(
    ('line', 'error'),
    [
        (
            'from lymph.web.interfaces import WebServiceInterface',
            "'pages:Pages' needs lymph.web, which is provided by lymph-web; "
            'install it: pip install lymph-web',
        ),
        (
            'from lymph import web',
            "'pages:Pages' needs lymph.web, which is provided by lymph-web; "
            'install it: pip install lymph-web',
        ),
        (
            'import lymph; lymph.testing.RPCServiceTestCase',
            "'pages:Pages' needs lymph.testing, which is provided by lymph-testing; "
            'install it: pip install lymph-testing',
        ),
        (
            'import lymph.client',
            "'pages:Pages' needs lymph.client, which is provided by lymph-core; "
            'install it: pip install lymph-core',
        ),
    ],
)
@pytest.mark.usefixtures('owner')
def test_error_about_an_import_of_a_missing_distribution_says_what_to_install(
    alone: Alone, tmp_path: Path, line: str, error: str
) -> None:
    (tmp_path / 'site' / 'pages.py').write_text(f'{line}\n\nclass Pages: ...\n')
    printed = alone(ERROR.format(key='x', name='pages:Pages', group='test.group'))
    assert printed == f'container.x.class: {error}'


@pytest.mark.usefixtures('owner')
def test_plugin_whose_contract_is_not_installed_is_rejected(alone: Alone) -> None:
    printed = alone(
        'from lymph.config import PluginError\n'
        'from lymph.config.plugins import load_plugin\n'
        'try:\n'
        "    load_plugin('lymph.events', 'collections:OrderedDict')\n"
        'except PluginError as error:\n'
        '    print(error)\n'
    )
    assert printed == (
        "plugin 'lymph.events' in group lymph.contracts (from owner 1): "
        "'lymph.events.base:BaseEventSystem' is provided by lymph-core, which is not installed"
    )
