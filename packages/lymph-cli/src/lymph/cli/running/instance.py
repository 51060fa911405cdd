"""Runs one instance or worker in this process until it is told to stop."""

from __future__ import annotations

import errno
from typing import Any

import gevent
from click.exceptions import Exit

from lymph.cli.configuring import load_configuration, node_files
from lymph.cli.logs import set_up_logging
from lymph.cli.outcomes import FAILED, OperationFailed
from lymph.cli.output import say
from lymph.cli.running.code import code_explained
from lymph.cli.running.importing import import_from_here
from lymph.cli.running.readiness import Readiness
from lymph.cli.running.reloading import Reloader, start_again
from lymph.cli.running.stacks import show_greenlets
from lymph.cli.running.stopping import Stops
from lymph.cli.settings import Settings
from lymph.cli.streams import let_services_print
from lymph.config import Configuration, ConfigurationError
from lymph.core.addresses import join_address
from lymph.core.assembly import build_container
from lymph.core.container import ServiceContainer
from lymph.core.inherited import inherited_sockets, misdirected, unused_sockets

__all__ = ['run']


def run(
    settings: Settings,
    ip: str | None,
    port: int | None,
    reload: bool,
    worker: bool,
    debug: bool = False,
) -> None:
    """Run the instance until it is told to stop; a `worker` runs tasks only.

    With `debug` it has a backdoor.

    Raises Exit if something was cut then, and whatever its start raises.
    """
    let_services_print()
    show_greenlets()
    readiness = Readiness.from_environ()
    inherited_sockets()  # what the code of services starts does not inherit them
    config = load_configuration(settings)
    set_up_logging(settings, config, 'INFO')
    _expect_interfaces(config, settings)
    import_from_here()
    with code_explained():
        container = build_container(config, ip=ip, port=port, worker=worker, debug=debug)
    stops = Stops()
    with stops.heard():
        with stops.interruptible(), code_explained():
            _start(container)
        if stops.asked.is_set():
            container.stop()
            return
        _warn_of_unused_sockets()
        names = sorted({container.registered_name(each) for each in container.interfaces})
        say(f'{", ".join(names)} at {container.endpoint}')
        readiness.tell()
        cut = _serve(container, stops, _reloader(settings) if reload else None)
    if cut:
        raise Exit(FAILED)


def _expect_interfaces(config: Configuration, settings: Settings) -> None:
    if not config.view('interfaces'):
        if not settings.configuration_files():
            raise ConfigurationError(
                'nothing to run: give a file with --config, or begin one with `lymph new NAME`'
            )
        raise config.error('interfaces', 'expected a service to run; add a name with its class')


def _start(container: ServiceContainer) -> None:
    try:
        container.start()
    except OSError as error:
        if container.endpoint is not None:
            raise  # it listens already: the error is another's
        address = join_address(container.settings.ip, container.settings.port)
        advice = (error.errno == errno.EADDRINUSE and misdirected()) or (
            'give another --ip or --port, or 0 for any free port'
        )
        raise OperationFailed(
            f'cannot listen at {address}: {error.strerror or error}; {advice}'
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


def _serve(container: ServiceContainer, stops: Stops, reloader: Reloader | None) -> int:
    """Wait for the end and go through with it; returns how many handlers were cut."""
    ended = gevent.spawn(container.join)
    reasons: list[Any] = [ended, stops.asked, *([reloader.changed] if reloader else [])]
    gevent.wait(reasons, count=1)
    if reloader is not None:
        reloader.stop()
        if reloader.changed.is_set():
            container.stop()
            start_again()
    if ended.ready():
        return 0
    say('stopping when all is done; the next signal stops at once')
    drained = gevent.spawn(container.drain)
    reasons = [drained, stops.insisted]
    gevent.wait(reasons, count=1)
    if drained.ready():
        return drained.get()
    drained.kill()
    return container.stop()
