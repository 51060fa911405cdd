"""Runs one instance or worker in this process until it is told to stop."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import Any

import gevent
from click.exceptions import Exit

from lymph.cli._logging.logs import set_up_logging
from lymph.cli._program.configuring import load_configuration, node_files
from lymph.cli._program.streams import let_services_print
from lymph.cli._running.choosing import chosen_interfaces, external_ip
from lymph.cli._running.code import code_explained
from lymph.cli._running.importing import import_from_here
from lymph.cli._running.operations import open_operations
from lymph.cli._running.pid_files import PidFile
from lymph.cli._running.reloading import Reloader, start_again
from lymph.cli._running.serving import describe, interface_names
from lymph.cli._running.stacks import show_greenlets
from lymph.cli._running.stopping import Stops
from lymph.cli._running.supervised import Supervised
from lymph.cli._running.titles import set_title
from lymph.cli._running.unblocked import unblock_streams
from lymph.cli.lazy import lazy
from lymph.cli.outcomes import FAILED, OperationFailed
from lymph.cli.output import say
from lymph.cli.settings import Settings
from lymph.config import Configuration, ConfigurationError
from lymph.core._system.inherited import inherited_sockets, misdirected, unused_sockets
from lymph.core.addresses import join_address
from lymph.core.assembly import build_container
from lymph.core.container import ServiceContainer
from lymph.core.greenlets import Greenlet, kill_in_time

__all__ = ['Options', 'run']

_port_holder = lazy('lymph.cli._running.port_holders:port_holder')

_CUT_TIMEOUT = 1.0  # seconds that a drain gets to end when the next signal comes
_STOPPING = 'stopping when all is done; the next signal stops at once'


@dataclass(frozen=True)
class Options:
    """What the command line says beside the configuration; a `worker` runs tasks only."""

    worker: bool = False
    ip: str | None = None
    port: int | None = None
    guess_external_ip: bool = False
    interface: tuple[str, ...] = ()  # none: all of the configuration
    isolated: bool = False  # not registered
    reload: bool = False
    debug: bool = False  # with a backdoor
    pidfile: str | None = None


def run(settings: Settings, **given: Any) -> None:
    """Run the instance until it is told to stop; `given` are the fields of `Options`.

    Raises Exit if something was cut then, and whatever its start raises.
    """
    options = Options(**given)
    let_services_print()
    unblock_streams()
    show_greenlets()
    supervised = Supervised.from_environ()
    inherited_sockets()  # what the code of services starts does not inherit them
    config = load_configuration(settings)
    set_up_logging(settings, config, 'INFO')
    _expect_interfaces(config, settings)
    ip = external_ip(options.ip) if options.guess_external_ip else options.ip
    only = chosen_interfaces(config, options.interface)
    pid_file = None if options.pidfile is None else PidFile(options.pidfile)
    import_from_here()
    with code_explained():
        container = build_container(
            config,
            ip=ip,
            port=options.port,
            worker=options.worker,
            debug=options.debug,
            only=only,
            operations=supervised.operations,
        )
    _show_title(container)
    stops = Stops()
    with stops.heard():
        with stops.interruptible(), code_explained():
            wished = config.get_raw('container.operations') is None
            supervised.operated(open_operations(container, wished))
            _start(container, register=not options.isolated)
        if stops.asked.is_set():
            cut = container.stop()
        else:
            _warn_of_unused_sockets()
            reloader = _reloader(settings) if options.reload else None
            cut = _InstanceRun(container, stops, supervised, pid_file, reloader).serve()
    if cut:
        raise Exit(FAILED)


def _expect_interfaces(config: Configuration, settings: Settings) -> None:
    if isinstance(config.get_raw('interfaces'), list):
        raise config.error(
            'interfaces', 'expected NAME: {class: package.module:Class}, found a list'
        )
    if not config.view('interfaces'):
        if not settings.configuration_files():
            raise ConfigurationError(
                'nothing to run: give a file with --config, or begin one with `lymph new NAME`'
            )
        raise config.error('interfaces', 'expected a service to run; add a name with its class')


def _show_title(container: ServiceContainer) -> None:
    kind = 'worker' if container.worker else 'instance'
    set_title(f'lymph {kind} {container.identity}: {", ".join(interface_names(container))}')


def _start(container: ServiceContainer, register: bool) -> None:
    try:
        container.start(register)
    except OSError as error:
        if container.endpoint is not None:
            raise  # it listens already: the error is another's
        ip, port = container.settings.ip, container.settings.port
        taken = error.errno == errno.EADDRINUSE
        holder = _port_holder(ip, port) if taken else None
        advice = (taken and misdirected()) or 'give another --ip or --port, or 0 for any free port'
        raise OperationFailed(
            f'cannot listen at {join_address(ip, port)}: {error.strerror or error}'
            f'{f" by {holder}" if holder else ""}; {advice}'
        ) from error


def _warn_of_unused_sockets() -> None:
    for each in unused_sockets():
        say(
            f'nothing here accepts the connections of {each}, a socket that this process was '
            f'started with; set the port of an interface to {each.port}, or do not pass it on'
        )


def _reloader(settings: Settings) -> Reloader:
    files = (*node_files(), *settings.configuration_files(), *settings.variable_files())
    return Reloader(files, lambda: load_configuration(settings))


@dataclass(frozen=True)
class _InstanceRun:
    """A container that has started, until it has stopped."""

    container: ServiceContainer
    stops: Stops
    supervised: Supervised
    pid_file: PidFile | None
    reloader: Reloader | None

    def serve(self) -> int:
        """Wait for the end and go through with it; returns how many pieces of work were cut."""
        try:
            if self.pid_file is not None:
                self.pid_file.write()
            words = describe(self.container)
            say(words)
            self.supervised.serving(words)
            return self._wait()
        finally:
            self.container.stop()
            if self.pid_file is not None:
                self.pid_file.remove()

    def _wait(self) -> int:
        container, stops, reloader = self.container, self.stops, self.reloader
        ended = gevent.spawn(container.join)
        reasons: list[Any] = [ended, stops.asked, *([reloader.changed] if reloader else [])]
        gevent.wait(reasons, count=1)
        if reloader is not None:
            reloader.stop()
            if reloader.changed.is_set():
                self._start_again()
        if ended.ready():
            self.supervised.stopping('stopped')
            return container.stop()
        say(_STOPPING)
        self.supervised.stopping(_STOPPING)
        drained = Greenlet(container.drain)
        drained.start()
        reasons = [drained, stops.insisted]
        gevent.wait(reasons, count=1)
        if drained.ready():
            drained.get()  # raises its error, if any
        else:
            kill_in_time([drained], _CUT_TIMEOUT)
        return container.stop()

    def _start_again(self) -> None:
        self.container.stop()
        if self.pid_file is not None:
            self.pid_file.remove()
        start_again(self.supervised.handed_on)
