"""Building a container, with its plugins, components and interfaces, from a configuration."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from lymph.config import Configuration, ConfigView
from lymph.config.places import noted
from lymph.config.plugins import load_plugin
from lymph.config.printable import object_name, quoted
from lymph.config.references import is_reference, load_reference
from lymph.config.sections import check_sections
from lymph.core._hosting.entering import read_backdoor
from lymph.core.components import Component
from lymph.core.container import ServiceContainer
from lymph.core.facts import check_name
from lymph.core.interceptors import Interceptor, check_kinds
from lymph.core.interfaces import Interface
from lymph.core.partitioning import Partitioner
from lymph.core.plugins import Plugin
from lymph.core.settings import ContainerOverrides
from lymph.core.versioning import parse_name
from lymph.discovery.base import BaseServiceRegistry
from lymph.events.base import BaseEventSystem

if TYPE_CHECKING:
    from typing_extensions import Unpack

logger = logging.getLogger(__name__)

__all__ = ['BuildOverrides', 'build_container', 'install_interfaces', 'install_plugins']

_SERIAL_EVENTS = 'SerialEventHandler'  # the component of the manual, section 4.2


class BuildOverrides(ContainerOverrides, total=False):
    """The keywords of `build_container`."""

    only: Collection[str] | None
    debug: bool


def build_container(config: Configuration, **overrides: Unpack[BuildOverrides]) -> ServiceContainer:
    """Make a container and install what the sections plugins, components and interfaces name.

    `overrides` are those of `ServiceContainer.from_config`, and:

    ``worker=True``
        Install only interfaces that have tasks.
    ``only=KEYS``
        Install only interfaces with one of these keys.
    ``debug=True``
        Open a backdoor at the start, at loopback unless `debug.backdoor_ip` is set, and show errors
        of HTTP interfaces that listen at loopback in a debugger.

    Nothing is started. Raises ConfigurationError, and what the installed classes raise.
    """
    only: Collection[str] | None = overrides.pop('only', None)
    check_sections(config)
    debugging = overrides.pop('debug', False)
    backdoor = read_backdoor(config.view('debug'), debugging)
    container = config.create_instance('container', ServiceContainer, **overrides)
    if not isinstance(container, ServiceContainer):
        raise config.error(
            'container.class', f'expected a container, found {object_name(container)}'
        )
    for backend, key in ((BaseServiceRegistry, 'registry'), (BaseEventSystem, 'events')):
        for component in container.components:
            if isinstance(component, backend):
                component.configured_at = config.locate(['container', key])
    container.debugging = debugging
    if backdoor is not None:
        container.allow_backdoor(backdoor)
    install_plugins(container, config.view('plugins'))
    _install_components(container, config.view('components'))
    install_interfaces(container, config, only)
    return container


def install_plugins(
    container: ServiceContainer,
    plugins: ConfigView,
    chosen: Callable[[type[Plugin]], bool] = lambda cls: True,
) -> None:
    """Install the plugins of a section in its order, those whose class is `chosen`.

    Raises ConfigurationError for a class that cannot be loaded, and what the classes raise.
    """
    for name in plugins:
        reference = plugins.get_line([name, 'class'], name)
        where = plugins.locate([name])
        named = plugins.locate([name, 'class']) if 'class' in plugins.view([name]) else where
        cls = load_plugin('lymph.plugins', reference, kind=Plugin, where=named)
        if chosen(cls):
            with noted(where, 'making the plugin'):
                plugin = container.install_plugin(cls, plugins.view([name]))
            plugin.configured_at = where
            if isinstance(plugin, Interceptor):  # whose kinds may come from its section
                try:
                    check_kinds(plugin.kinds, cls.__name__)
                except TypeError as error:
                    raise plugins.error([name], str(error)) from error


def _install_components(container: ServiceContainer, components: ConfigView) -> None:
    for name in components:
        if name == _SERIAL_EVENTS:
            container.serial_events.partitioner = _partitioner(components, container)
            continue
        if 'class' not in components.view([name]):
            text = f'expected a class; the one component without is {_SERIAL_EVENTS}'
            raise components.error([name], text)
        component = components.create_instance([name])
        if not isinstance(component, Component):
            raise components.error(
                [name, 'class'], f'expected a component, found {object_name(component)}'
            )
        component.configured_at = components.locate([name])
        container.add_component(component)


def _partitioner(components: ConfigView, container: ServiceContainer) -> Partitioner:
    """Make the partitioner of serial events.

    A section with `zkclient` but without a class stands for the one that uses ZooKeeper.
    """
    default = 'zookeeper' if 'zkclient' in components.view([_SERIAL_EVENTS]) else 'registry'
    partitioner = components.create_instance(
        [_SERIAL_EVENTS], default, group='lymph.partitioners', registry=container.registry
    )
    if not isinstance(partitioner, Partitioner):
        raise components.error(
            [_SERIAL_EVENTS], f'expected a partitioner, found {object_name(partitioner)}'
        )
    return partitioner


def install_interfaces(
    container: ServiceContainer, config: Configuration, only: Collection[str] | None = None
) -> None:
    """Install the interfaces of the section `interfaces`, in a worker only those with tasks.

    With `only`, interfaces with other keys are left out. Raises ConfigurationError, also if a
    worker would have no tasks to run.
    """
    interfaces = config.view('interfaces')
    chosen = [key for key in interfaces if only is None or key in only]
    seen: dict[tuple[str, str | None], str] = {}
    for key in chosen:
        name, version = _name_and_version(interfaces, key)
        first = seen.setdefault((name, version), key)
        if first != key:
            raise interfaces.error([key], f'this interface is installed twice, see {first}')
        reference = interfaces.get_raw([key])
        if isinstance(reference, str) and is_reference(reference):  # the class alone
            raise interfaces.error(
                [key], f'expected a mapping, write {{class: {quoted(reference)}}}'
            )
        section = interfaces.view([key])
        cls = _interface_class(section)
        if cls.tasks or not container.worker:
            with noted(section.locate(), 'making the interface'):
                interface = container.install_interface(cls, name, version, section)
            interface.configured_at = section.locate()
    if container.worker and not container.interfaces:
        raise config.error(
            'interfaces',
            'expected an interface with tasks for a worker to run, found none in '
            f'{", ".join(chosen) or "an empty section"}; declare one with @lymph.task()',
        )


def _name_and_version(interfaces: ConfigView, key: str) -> tuple[str, str | None]:
    try:
        name, version = parse_name(key)
        check_name(name)
    except ValueError as error:
        raise interfaces.error([key], str(error)) from error
    if '.' in name or name == 'lymph':
        raise interfaces.error([key], 'expected a name without dots other than lymph')
    return name, None if version is None else str(version)


def _interface_class(section: ConfigView) -> type[Interface]:
    reference = section.get_line('class')
    cls = load_reference(reference, where=section.locate('class'))
    if not (isinstance(cls, type) and issubclass(cls, Interface)):
        raise section.error(
            'class',
            f'expected a subclass of lymph.Interface, found {object_name(cls)}; '
            'name a class that is derived from it',
        )
    return cls
