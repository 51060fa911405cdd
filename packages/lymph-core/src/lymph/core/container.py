"""The container: one process, its endpoint, its interfaces, and the parts that serve them.

Order of a start: listen, backends, queues, plugins and components, `on_start` of the interfaces,
event handlers, registry. A stop is the reverse. What fails on the way up takes down what was
started and raises.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from socket import gaierror
from typing import Any

from gevent.event import Event as Flag

from lymph.config import Configuration, ConfigurationError, ConfigView
from lymph.core._calling.caller_side import CallerSide
from lymph.core._hosting.advertising import Advertising
from lymph.core._hosting.builtin import BuiltinInterface
from lymph.core._hosting.drain import wait_until_quiet
from lymph.core._hosting.entering import BackdoorSettings, OpenBackdoor, open_backdoor
from lymph.core._hosting.handlers import Handlers
from lymph.core._hosting.methods import MethodTable
from lymph.core._hosting.process_facts import process_facts
from lymph.core._hosting.publishing import OpenLog, announced_endpoint, publish_log
from lymph.core._hosting.recent_errors import RecentErrors
from lymph.core._hosting.registration import Registrations, host_facts
from lymph.core._hosting.server import RequestServer
from lymph.core._monitoring.watchdog import Watchdog
from lymph.core._system.forks import abandon_in_children
from lymph.core.greenlets import Pool
from lymph.core.interfaces import Interface, configure, parts_of
from lymph.core.monitoring.metrics import Aggregate
from lymph.core.plugins import Plugin
from lymph.core.reasons import DRAINING, STARTING
from lymph.core.services import ServiceInstance
from lymph.core.settings import (
    ContainerSettings,
    read_events,
    read_registry,
    read_settings,
    read_transport,
)
from lymph.core.transport.base import Listener, Transport
from lymph.core.workers import Workers
from lymph.discovery.base import BaseServiceRegistry
from lymph.discovery.partitioning import RegistryPartitioner
from lymph.events.base import BaseEventSystem
from lymph.exceptions import LymphError
from lymph.patterns._serial_events.running import SerialEvents

__all__ = ['Container', 'ServiceContainer']

logger = logging.getLogger(__name__)

_CUT_TIMEOUT = 1.0  # seconds that handlers get to end after they were told to


class ServiceContainer(CallerSide):
    """Hosts interfaces and carries their calls and events. Source: the manual, section 5.2.

    A `worker` runs tasks and nothing else: it consumes no other events, and of calls it answers
    those of the built-in interface; it is registered as ``<interface name>.worker``. With
    `on_demand` it does not listen, and its backends start when they are first needed (see
    `lymph.client`).
    """

    def __init__(
        self,
        transport: Transport,
        registry: BaseServiceRegistry,
        events: BaseEventSystem | Callable[[], BaseEventSystem],
        settings: ContainerSettings | None = None,
        *,
        worker: bool = False,
        on_demand: bool = False,
    ) -> None:
        self.settings = settings = settings or ContainerSettings()
        super().__init__(
            transport,
            registry,
            events,
            timeout=settings.rpc_timeout,
            retries=settings.rpc_retries,
            idle_timeout=settings.rpc_idle_timeout,
            connect_timeout=settings.rpc_connect_timeout,
            on_demand=on_demand,
            pool=Pool(),
            workers=Workers(settings.pool_size),
            metrics=Aggregate(tags=settings.metrics_tags),
        )
        self.identity = os.urandom(8).hex()
        #: what is announced: where others reach this container, not always where it listens
        self.endpoint: str | None = None
        self.worker = worker
        #: whether the container is on its way down
        self.draining = False
        self._transport = transport
        self._listener: Listener | None = None
        self._log: OpenLog | None = None
        self._backdoor_settings: BackdoorSettings | None = None
        self._backdoor: OpenBackdoor | None = None
        self._advertising = self._advertised(registry.beyond_host)
        self._methods = MethodTable()
        self._server = RequestServer(self._methods, self.workers, self.error_hook)
        self._registrations = Registrations(registry, worker)
        #: runs serial handlers; its `partitioner` may be replaced before the start
        self.serial_events = SerialEvents(self, RegistryPartitioner(registry))
        self.add_component(self.serial_events)
        self._event_handlers = Handlers(self, lambda: self.interfaces, self.serial_events, worker)
        self.add_component(self._event_handlers)
        self._stopped = Flag()
        self._cut = 0  # handlers that were cut short
        self._forked = False
        self._began = time.monotonic()
        self.metrics.add(self._server)
        self._watchdog: Watchdog | None = None
        if settings.block_threshold and not on_demand:
            self._watchdog = Watchdog(settings.block_threshold)
            self.add_component(self._watchdog)
        self._errors = RecentErrors()
        self.error_hook.install(self._errors)
        builtin = BuiltinInterface(
            self, self._methods, self.metrics, self.status, lambda: self.interfaces
        )
        self._methods.add(builtin, vital=True)
        abandon_in_children(self)

    @classmethod
    def from_config(cls, config: ConfigView | None = None, **overrides: Any) -> ServiceContainer:
        """Make a container from a `container` section; None is an empty one.

        `overrides` replace what the section says: `ip`, `port`, the objects `registry`, `events`
        and `transport`, and the keywords of the class. Raises ConfigurationError.
        """
        config = Configuration() if config is None else config
        settings = read_settings(config, overrides.pop('ip', None), overrides.pop('port', None))
        events = overrides.pop('events', None)
        if events is None and overrides.get('on_demand') and 'events' not in config:
            events = partial(read_events, config)  # nothing that could be wrong, and much to load
        return cls(
            overrides.pop('transport', None) or read_transport(config),
            overrides.pop('registry', None) or read_registry(config),
            events or read_events(config),
            settings,
            **overrides,
        )

    @property
    def interfaces(self) -> list[Interface]:
        """The installed interfaces, without the built-in one."""
        return [c for c in self.components if isinstance(c, Interface)]

    def registered_name(self, interface: Interface) -> str:
        """Return the name under which an interface is made known."""
        return self._registrations.name_of(interface)

    @property
    def registered(self) -> list[tuple[str, ServiceInstance]]:
        """The names that are registered, with what is told of each; empty outside of a run."""
        return self._registrations.entries

    def install_interface(
        self,
        cls: type[Interface],
        name: str | None = None,
        version: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Interface:
        """Add an interface and return it; to be done before the start (LymphError).

        Raises ConfigurationError when one of that name and version is there.
        """
        if self._running:
            raise LymphError('interfaces are installed before the container is started')
        interface = cls(self, name, version)
        configure(interface, config if config is not None else {})
        if not self.worker:
            self._methods.add(interface)
        parts = parts_of(interface)
        self.add_component(parts)
        parts.parent = interface
        self.add_component(interface)
        return interface

    def install_plugin(self, cls: type[Plugin], config: Mapping[str, Any] | None = None) -> Plugin:
        """Add a plugin and return it; it starts before the interfaces that are added after it.

        In a container that runs it is started at once.
        """
        plugin = cls(self, config)
        self.add_component(plugin)
        return plugin

    def allow_backdoor(self, settings: BackdoorSettings) -> None:
        """Open a backdoor with the start; see `lymph.core._hosting.entering`."""
        self._backdoor_settings = settings

    def start(self, register: bool = True) -> None:
        """Start all parts and, with `register`, make the interfaces known.

        Raises what a part raises, RegistrationFailure, OSError for a port that cannot be used,
        LymphError when it is stopped meanwhile.
        """
        self._expect_own_thread('a container was started')
        self._server.refusing = STARTING  # until the interfaces are ready
        try:
            if not self._on_demand:
                self._listen(register)
            self.on_start()
            self._event_handlers.consume()
            self._expect_no_stop()
            self._server.refusing = None
            if register and not self._on_demand:
                self._register()
                self._expect_no_stop()
        except BaseException:
            self._take_down()
            raise

    def stop(self) -> int:
        """Stop at once; returns how many running handlers were cut short. Idempotent."""
        if self._stopped.is_set() or self._forked:
            return self._cut
        self._expect_own_thread('a container was stopped')
        return self._take_down()

    def drain(self) -> int:
        """Leave the registry, finish what runs, then stop; returns how many handlers were cut.

        Takes up to `drain_timeout` seconds until callers have noticed, and as long again for
        handlers that still run, and until callers that noticed nothing have been refused.
        """
        self._expect_own_thread('a container was drained')
        if self.draining:
            if not self._forked:
                self.join()  # whoever began it
            return self._cut
        self.draining = True
        timeout = self.settings.drain_timeout
        self.serial_events.leave()
        self._reported(self._events.pause, 'paused')
        self._registrations.withdraw()
        noticed = wait_until_quiet(lambda: self._server.last_request, timeout)
        self._server.refusing = DRAINING
        end = time.monotonic() + timeout
        cut = self.on_drain(timeout)
        self._cut += cut  # in two steps: a stop may have counted meanwhile
        self.workers.join(max(0.0, end - time.monotonic()))
        if not noticed:  # whoever is refused now calls elsewhere from then on
            wait_until_quiet(lambda: self._server.last_request, max(0.0, end - time.monotonic()))
        return self.stop()

    def abandon(self) -> None:
        """Refuse in a forked child, and stop nothing there: everything stays the parent's."""
        self._forked = self.draining = True
        self.rpc.abandon()

    def join(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds until the container has stopped; tell whether it has."""
        return bool(self._stopped.wait(timeout))

    def announced_host(self, ip: str) -> str:
        """Return the host to announce for a port of this process that is listened at on `ip`.

        See `Advertising.host`. Raises ConfigurationError when there is none that others reach.
        """
        return self._advertising.host(ip)

    def status(self) -> dict[str, Any]:
        """Return facts for an operator, in serializable types."""
        return {
            'identity': self.identity,
            'endpoint': self.endpoint,
            'listening': None if self._listener is None else self._listener.endpoint,
            'pid': os.getpid(),
            'uptime': time.monotonic() - self._began,
            'draining': self.draining,
            'interfaces': [
                {'name': i.name, 'version': i.version, 'class': type(i).__qualname__}
                for i in self.interfaces
            ],
            'handlers': {'running': self.workers.running, 'pool_size': self.workers.size},
            'callers': len(self._server.links),
            'listener': self._listener_status(),
            'buffered': self._transport.buffered,
            'rpc': self.rpc.stats(),
            'worker': self.worker,
            'tasks': list(self._event_handlers.tasks),
            'loop': None if self._watchdog is None else self._watchdog.facts(),
            'errors': self._errors.facts(),
            **process_facts(),
        }

    def _listener_status(self) -> dict[str, Any] | None:
        listener = self._listener
        if listener is None:
            return None
        return {
            'endpoint': listener.endpoint,
            'accepting': listener.trouble is None,
            'reason': listener.trouble,
            'dropped': listener.dropped,
        }

    def _expect_no_stop(self) -> None:
        if self.draining:
            raise LymphError('the container was stopped while it was starting')

    def _take_down(self) -> int:
        """Stop whatever runs; returns how many running handlers were cut short.

        A step that fails, or is interrupted, keeps none of the others from being done.
        """
        self.draining = True
        self._server.refusing = DRAINING
        with ExitStack() as steps:  # from the last one to the first
            steps.callback(self._stopped.set)
            if self._log is not None:
                steps.callback(self._log.close)
            if self._backdoor is not None:
                steps.callback(self._backdoor.close)
            steps.callback(self._transport.close)
            steps.callback(self._server.close)
            if self._listener is not None:
                steps.callback(self._listener.close)
            steps.callback(self.pool.kill, timeout=_CUT_TIMEOUT)
            steps.callback(self.on_stop)
            steps.callback(self._cut_handlers)
            if not self._on_demand:
                steps.callback(self._registrations.withdraw)
                steps.callback(self._reported, self._events.pause, 'paused')
                steps.callback(self.serial_events.leave)
        return self._cut

    def _cut_handlers(self) -> None:
        cut = self.workers.kill(_CUT_TIMEOUT)
        self._cut += cut  # in two steps: a stop may have counted meanwhile

    def _listen(self, register: bool) -> None:
        settings = self.settings
        if settings.log_endpoint is not None:
            self._log = publish_log(settings.log_endpoint, self.identity, settings.log_endpoint_at)
        if self._backdoor_settings is not None:
            self._backdoor = open_backdoor(self._backdoor_settings, self.identity, self._names)
        address = self._transport.address(settings.ip, settings.port)
        try:
            self._listener = self._transport.listen(address, self._server)
        except gaierror as error:
            text = f'{settings.ip} is no address of this machine: {error.strerror or error}'
            raise ConfigurationError(text, settings.ip_at) from error
        listening = self._listener.endpoint
        if not register:  # nobody reads it elsewhere
            self._advertising = self._advertised(beyond_host=False)
        self.endpoint = self._advertising.endpoint(listening)
        if self.endpoint != listening:
            logger.info('listening at %s, announced as %s', listening, self.endpoint)

    def _names(self) -> dict[str, Any]:
        """Return what a prompt in this process has."""
        return {'container': self, 'interfaces': {i.name: i for i in self.interfaces}}

    def _announced(self, endpoint: str) -> str | None:
        return announced_endpoint(endpoint, self.announced_host)

    def _advertised(self, beyond_host: bool) -> Advertising:
        settings = self.settings
        return Advertising(settings.ip, settings.advertise, beyond_host, settings.ip_at)

    def _register(self) -> None:
        assert self.endpoint is not None
        self._advertising.warn_of_loopback(self.endpoint)
        facts = host_facts(
            self.identity,
            self.endpoint,
            self.announced_host(self.settings.ip),
            None if self._log is None else self._announced(self._log.endpoint),
            None if self._backdoor is None else self._announced(self._backdoor.endpoint),
        )
        self._registrations.register(self.interfaces, facts)


Container = ServiceContainer
