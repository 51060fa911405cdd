"""Serves the dashboard of lymph-web from a client: it is registered nowhere."""

from __future__ import annotations

import os
import secrets
import sys
import webbrowser
from typing import Any, Final, NoReturn

from gevent.event import Event

from lymph.cli._running.asking import open_client
from lymph.cli.lazy import lazy
from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import say, write
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.config import Configuration, ConfigurationError
from lymph.config.exceptions import PluginError
from lymph.config.references import load_reference
from lymph.core.addresses import is_loopback, is_wildcard, join_address, numeric
from lymph.core.backends import in_thread
from lymph.core.interfaces import Interface, configure

__all__ = ['run']

_port_holder = lazy('lymph.cli._running.port_holders:port_holder')

_PACKAGE: Final = 'lymph.web'
_CLASS: Final = f'{_PACKAGE}.dashboard:Dashboard'
_NAME: Final = 'dashboard'
_PORT: Final = 8900
_TOKEN: Final = 24  # bytes


def run(settings: Settings, port: int | None, host: str, read_only: bool, opens: bool) -> NoReturn:
    """Serve the page until a signal ends it.

    Raises OperationFailed without lymph-web, and for a port that is in use.
    """
    cls = _dashboard_class()
    section: dict[str, Any] = {
        'ip': host,
        'token': secrets.token_urlsafe(_TOKEN),
        'read_only': read_only,
    }
    if numeric(host) is None:  # a name leads here only because the user says so
        section['hosts'] = [host]
    with open_client(settings, plugins=True) as client:
        found = _serve(client, cls, section, port)
        url = f'http://{_shown(host, found)}/?token={section["token"]}'
        write(f'{url}\n')
        if not is_loopback(host):
            say('other machines reach it, too, and what is sent is not encrypted')
        say(f'the dashboard is ready{", for reading only" if read_only else ""}; Ctrl-C ends')
        if opens:
            _open(url)
        Event().wait()
    raise AssertionError('the wait ends by a signal')


def _dashboard_class() -> type[Interface]:
    try:
        cls: Any = load_reference(_CLASS)
    except PluginError as error:
        missing = error.__cause__
        if isinstance(missing, ModuleNotFoundError) and (missing.name or '').startswith(_PACKAGE):
            raise OperationFailed(
                'the dashboard is part of lymph-web, which is not installed; pip install lymph-web'
            ) from error
        raise
    loaded: type[Interface] = cls
    return loaded


def _serve(client: Client, cls: type[Interface], section: dict[str, Any], port: int | None) -> int:
    """Serve at the port, or at 8900 or any other if it is None; return the port."""
    try:
        return _serve_at(client, cls, {**section, 'port': _PORT if port is None else port})
    except OperationFailed:
        if port is not None:
            raise
        return _serve_at(client, cls, {**section, 'port': 0})


def _serve_at(client: Client, cls: type[Interface], section: dict[str, Any]) -> int:
    view = Configuration({'interfaces': {_NAME: section}}).view(['interfaces', _NAME])
    dashboard: Any = cls(client.container, _NAME)
    configure(dashboard, view)
    try:
        client.container.add_component(dashboard)
    except ConfigurationError as error:
        if not isinstance(error.__cause__, OSError):
            raise
        raise _unusable(error.__cause__, section['ip'], section['port']) from error
    found: int = dashboard.http_port
    return found


def _unusable(error: OSError, host: str, port: int) -> OperationFailed:
    holder = _port_holder(host, port) if port else None
    reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
    who = f' by {holder}' if holder else ''
    return OperationFailed(
        f'cannot listen at {join_address(host, port)}: {reason}{who}; '
        'give another --host or --port, or --port 0 for any free port'
    )


def _shown(host: str, port: int) -> str:
    """Return where a browser of this machine finds a server that listens at `host`."""
    if is_wildcard(host):
        host = '::1' if ':' in host else '127.0.0.1'
    return join_address(host, port)


def _open(url: str) -> None:
    displays = ('DISPLAY', 'WAYLAND_DISPLAY')
    shown = sys.platform == 'darwin' or any(os.environ.get(name) for name in displays)
    # a browser of the terminal would take the terminal
    if not shown or not in_thread(webbrowser.open, url):
        say('there is no browser to open it in; open the URL yourself')
