"""The container: a process with its endpoint, its interfaces, and the parts that serve them.

A start does the following in this order, a stop undoes it in reverse order: open the operations
port, listen, start the backends, prepare the queues, start plugins and components, call `on_start`
of the interfaces, consume events, register. If a step fails, what was started is stopped and the
error is raised.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from functools import partial
from socket import gaierror
from typing import TYPE_CHECKING, Any, TypeVar

from gevent.event import Event as Flag

from lymph.config import Configuration, ConfigurationError, ConfigView
from lymph.core._calling.caller_side import CallerSide
from lymph.core._hosting.advertising import Advertising
from lymph.core._hosting.annotations import check_annotations
from lymph.core._hosting.backend_states import BackendStates
from lymph.core._hosting.builtin import BuiltinInterface
from lymph.core._hosting.container_figures import ContainerFigures
from lymph.core._hosting.drain import wait_until_quiet
from lymph.core._hosting.entering import BackdoorSettings
from lymph.core._hosting.handlers import Handlers
from lymph.core._hosting.methods import MethodTable
from lymph.core._hosting.operations import HostedOperations
from lymph.core._hosting.operator_endpoints import OperatorEndpoints
from lymph.core._hosting.process_metrics import ProcessMetrics
from lymph.core._hosting.registration import Registrations, host_facts
from lymph.core._hosting.server import RequestServer
from lymph.core._hosting.status import Status
from lymph.core._loop.hooks import Hook
from lymph.core._monitoring.call_log import CallLog
from lymph.core._monitoring.watchdog import Watchdog
from lymph.core._system.forks import abandon_in_children
from lymph.core._work.chains import check_interceptor
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

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.settings import ContainerOverrides

__all__ = ['Container', 'ServiceContainer']

Hosted = TypeVar('Hosted', bound=Interface)
P = TypeVar('P', bound=Plugin)

logger = logging.getLogger(__name__)

_CUT_TIMEOUT = 1.0  # seconds that killed handlers and greenlets get to end


class ServiceContainer(CallerSide):
    """Hosts interfaces and carries their calls and events. Source: the manual, section 5.2.

    `settings` are the plain values of the `container` section; `from_config` reads all of it. A
    `worker` only runs tasks: it consumes no other events, and answers only calls of the built-in
    interface; its interfaces are registered as ``<interface name>.worker``. With `on_demand` the
    container does not listen, and its backends are started when they are first used (see
    `lymph.client`).
    """

    #: the announced endpoint: where others reach this container, not always where it listens
    endpoint: str | None = None
    #: whether the container is stopping, or has stopped
    draining = False
    #: whether interfaces may open debuggers for this machine; `build_container` sets it
    debugging = False
    _listener: Listener | None = None
    _forked = False
    _has_started = False
    _counted = 0  # pieces of work that components have cut short; handlers not among them

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
        self._call_log = CallLog(settings.rpc_slow_call, settings.rpc_call_log_sample)
        super().__init__(
            transport,
            registry,
            events,
            call_log=self._call_log,
            timeout=settings.rpc_timeout,
            retries=settings.rpc_retries,
            idle_timeout=settings.rpc_idle_timeout,
            connect_timeout=settings.rpc_connect_timeout,
            on_demand=on_demand,
            keep=settings.trace_keep,
            pool=Pool(),
            workers=Workers(settings.pool_size),
            metrics=Aggregate(tags=settings.metrics_tags),
        )
        self.identity = os.urandom(8).hex()
        self.worker = worker
        #: called as ``http_request_hook(request, **details)`` for each request of an HTTP interface
        self.http_request_hook = Hook('http_request_hook')
        self._transport = transport
        self._operator_endpoints = OperatorEndpoints(self.identity, self._names, self.metrics)
        self._advertising = self._advertised(registry.beyond_host)
        self._methods = MethodTable(self.chains, self.recent)
        self._server = RequestServer(self._methods, self.workers, self.error_hook, self._call_log)
        self.recent.sources.append(self._server.in_progress)
        self._registrations = Registrations(registry, worker)
        #: runs serial handlers; its `partitioner` may be replaced before the start
        self.serial_events = SerialEvents(self, RegistryPartitioner(registry))
        self.add_component(self.serial_events)
        self._event_handlers = Handlers(self, lambda: self.interfaces, self.serial_events, worker)
        self.add_component(self._event_handlers)
        self._stopped = Flag()
        self.metrics.add(self._server)
        self.metrics.add(ProcessMetrics(lambda: len(self.pool) + self.workers.greenlets))
        #: the states of the connections of the backends
        self.backend_states = BackendStates(
            registry=lambda: self._in_use(self._registry),
            broker=lambda: self._in_use(self._made_events),
            partitioner=lambda: self.serial_events.started_partitioner,
        )
        self.metrics.add(self.backend_states)
        self.metrics.add(
            ContainerFigures(self.workers, self._server, transport, lambda: self._listener)
        )
        watchdog: Watchdog | None = None
        operations = None if on_demand else settings.operations
        if (settings.block_threshold or operations) and not on_demand:
            watchdog = Watchdog(settings.block_threshold)
            watchdog.parent = self
            self.components.insert(0, watchdog)  # it also watches the start of the others
        self._hosted_operations = HostedOperations(operations, watchdog, self._operations_sources)
        self._status = Status(self, transport, self._server, self._event_handlers, watchdog)
        builtin = BuiltinInterface(
            self, self._methods, self.metrics, self.status, lambda: self.interfaces, self.recent
        )
        self._methods.add(builtin, vital=True)
        abandon_in_children(self)

    @classmethod
    def from_config(
        cls, config: ConfigView | None = None, **overrides: Unpack[ContainerOverrides]
    ) -> ServiceContainer:
        """Make a container from a `container` section; None stands for an empty one.

        `overrides` take precedence over the section: `ip`, `port`, the objects `registry`, `events`
        and `transport`, and the keywords of this class. `operations` is the port for operations at
        loopback, 0 for any free one, unless the section says otherwise. Raises ConfigurationError.
        """
        given: dict[str, Any] = {**overrides}
        config = Configuration() if config is None else config
        settings = read_settings(
            config, given.pop('ip', None), given.pop('port', None), given.pop('operations', None)
        )
        events = given.pop('events', None)
        if events is None and given.get('on_demand') and 'events' not in config:
            # the default section needs no check now, and a client may never use an event system
            events = partial(read_events, config)
        return cls(
            given.pop('transport', None) or read_transport(config),
            given.pop('registry', None) or read_registry(config),
            events or read_events(config),
            settings,
            **given,
        )

    @property
    def interfaces(self) -> list[Interface]:
        """The installed interfaces, without the built-in one."""
        return [c for c in self.components if isinstance(c, Interface)]

    def registered_name(self, interface: Interface) -> str:
        """Return the name under which an interface is registered."""
        return self._registrations.name_of(interface)

    @property
    def registered(self) -> list[tuple[str, ServiceInstance]]:
        """The registered names and their instances; empty unless the container is running."""
        return self._registrations.entries

    def install_interface(
        self,
        cls: type[Hosted],
        name: str | None = None,
        version: str | None = None,
        config: Mapping[str, Any] | None = None,
    ) -> Hosted:
        """Add an interface and return it.

        The default `name` is that of the class in lower case. `config` is passed to `apply_config`.
        Raises LymphError when the container is running already, ConfigurationError when it has an
        interface of the same name and version and for an annotation that cannot be checked, and
        what the class raises.
        """
        if self._running:
            raise LymphError('interfaces are installed before the container is started')
        interface = cls(self, name, version)
        check_interceptor(interface)
        check_annotations(interface)
        configure(interface, config if config is not None else {})
        if not self.worker:
            self._methods.add(interface, cancel=self.settings.rpc_cancel)
        parts = parts_of(interface)
        self.add_component(parts)
        parts.parent = interface
        self.add_component(interface)
        return interface

    def install_plugin(self, cls: type[P], config: Mapping[str, Any] | None = None) -> P:
        """Add a plugin and return it; it starts before the interfaces that are added after it.

        If the container is running, the plugin is started at once; errors are those of
        `add_component`.
        """
        plugin = cls(self, config)
        self.add_component(plugin)
        return plugin

    def allow_backdoor(self, settings: BackdoorSettings) -> None:
        """Open a backdoor at the next start; see `lymph.core._hosting.entering`."""
        self._operator_endpoints.backdoor = settings

    @property
    def operations(self) -> str | None:
        """Where the operations port is, as ``http://127.0.0.1:9090``; None while it is not open."""
        return self._hosted_operations.address

    def open_operations(self) -> str | None:
        """Open the operations port if there is to be one, before the start; return `operations`.

        It closes with the container. Raises ConfigurationError if the port cannot be used,
        LymphError after a stop.
        """
        self._expect_own_thread('an operations port was opened')
        self._expect_no_stop()
        self._hosted_operations.open()
        return self.operations

    def forgo_operations(self) -> None:
        """Open no operations port at the next start, whatever the settings say."""
        self._hosted_operations.settings = None

    def start(self, register: bool = True) -> None:
        """Start all components and, with `register`, register the interfaces.

        If a step fails, the container is stopped and the error is raised: that of a component,
        RegistrationFailure, OSError for a port that cannot be used, ConfigurationError for an
        address that cannot be used, LymphError when the container is stopped meanwhile.
        """
        self._expect_own_thread('a container was started')
        self._server.refusing = STARTING  # until `on_start` of the interfaces has returned
        try:
            self._hosted_operations.open()
            if not self._on_demand:
                self._listen(register)
            self.on_start()
            self._event_handlers.consume()
            self._expect_no_stop()
            self._server.refusing = None
            if register and not self._on_demand:
                self._register()
                self._expect_no_stop()
            self._has_started = True
        except BaseException:
            self._take_down()
            raise

    def stop(self) -> int:
        """Stop at once; return how many running handlers and HTTP requests were cut short.

        Idempotent. The number has all that was cut since the container was started, by a drain too.
        """
        if self._stopped.is_set() or self._forked:
            return self._cut
        self._expect_own_thread('a container was stopped')
        return self._take_down()

    def drain(self) -> int:
        """Stop gracefully; return how many running handlers and HTTP requests were cut short.

        Leaves the registry and goes on answering until no call has arrived for half a second, at
        most `drain_timeout` seconds. Then refuses calls, and waits for running handlers, again at
        most `drain_timeout` seconds. If calls still arrived at the end of the first step, it also
        waits, within the same time, until no more of them arrive: callers that are refused call
        other instances from then on.
        """
        self._expect_own_thread('a container was drained')
        if self.draining:
            if not self._forked:
                self.join()  # another greenlet drains or stops the container
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
        self.count_cut(cut)
        self.workers.join(max(0.0, end - time.monotonic()))
        if not noticed:  # callers that are refused now call other instances from then on
            wait_until_quiet(lambda: self._server.last_request, max(0.0, end - time.monotonic()))
        return self.stop()

    def count_cut(self, count: int) -> None:
        """Add to the number of pieces of work cut short, which `drain` and `stop` return."""
        self._counted += count

    def abandon(self) -> None:
        """In a forked child, refuse calls and stop nothing: everything stays the parent's."""
        self._forked = self.draining = True
        self._server.abandon()
        self.rpc.abandon()
        self._hosted_operations.abandon()

    def join(self, timeout: float | None = None) -> bool:
        """Wait up to `timeout` seconds until the container has stopped; tell whether it has."""
        return bool(self._stopped.wait(timeout))

    def announced_host(self, ip: str) -> str:
        """Return the host to announce for a port on which this process listens at `ip`.

        See `Advertising.host`. Raises ConfigurationError when others reach none of its addresses.
        """
        return self._advertising.host(ip)

    def status(self) -> dict[str, Any]:
        """Return facts for an operator, in serializable types: the answer to `lymph.status`."""
        return self._status.facts(self._listener)

    def _expect_no_stop(self) -> None:
        if self.draining:
            raise LymphError('the container was stopped while it was starting')

    @property
    def _cut(self) -> int:
        return self._counted + self.workers.cut

    def _take_down(self) -> int:
        """Stop everything that is running; return how many pieces of work were cut short.

        All steps are done even if one of them raises or is interrupted.
        """
        self.draining = True
        self._server.refusing = DRAINING
        with ExitStack() as steps:  # it calls them in reverse: the last one below is the first
            steps.callback(self._stopped.set)
            steps.callback(self._hosted_operations.close)
            steps.callback(self._operator_endpoints.close)
            steps.callback(self._transport.close)
            steps.callback(self._call_log.close)
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
        self._server.settle()
        self.workers.kill(_CUT_TIMEOUT)

    def _listen(self, register: bool) -> None:
        settings = self.settings
        operator = self._operator_endpoints
        operator.open_log(settings.log_endpoint, settings.log_endpoint_at)
        operator.open(
            settings.monitoring_endpoint, settings.metrics_interval, settings.monitoring_endpoint_at
        )
        address = self._transport.address(settings.ip, settings.port)
        try:
            self._listener = self._transport.listen(address, self._server)
        except gaierror as error:
            text = f'{settings.ip} is no address of this machine: {error.strerror or error}'
            raise ConfigurationError(text, settings.ip_at) from error
        listening = self._listener.endpoint
        if not register:  # no other host reads the endpoint
            self._advertising = self._advertised(beyond_host=False)
        self.endpoint = self._advertising.endpoint(listening)
        if self.endpoint != listening:
            logger.info('listening at %s, announced as %s', listening, self.endpoint)

    def _names(self) -> dict[str, Any]:
        """Return the names that a prompt of the backdoor defines."""
        return {'container': self, 'interfaces': {i.name: i for i in self.interfaces}}

    def _operations_sources(self) -> dict[str, Any]:
        return {
            'identity': self.identity,
            'has_started': lambda: self._has_started,
            'draining': lambda: self.draining,
            'backends': {'registry': self._registry, 'broker': self._events},
            'metrics': self.metrics,
            'spawn': self.spawn,
        }

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
            *self._operator_endpoints.announced(self.announced_host),
        )
        self._registrations.register(self.interfaces, facts)


Container = ServiceContainer
