"""The backdoor of a container: reading its settings, and opening it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

from lymph.config import ConfigurationError, ConfigView, Location
from lymph.config.lazy import lazy
from lymph.core.addresses import check_host
from lymph.core.options import refuse_unknown

__all__ = ['BackdoorSettings', 'OpenBackdoor', 'open_backdoor', 'read_backdoor']

_LOOPBACK = '127.0.0.1'
_SHORTEST = 16  # characters of a token from the configuration

# Imported on first use: few containers open a backdoor.
_new_token: Callable[[], str] = lazy('lymph.core._backdoor.tokens:new_token')
_complete_namespace: Callable[[dict[str, Any]], dict[str, Any]] = lazy(
    'lymph.core._backdoor.namespace:complete_namespace'
)


class OpenBackdoor(Protocol):
    """What a container needs of its open backdoor."""

    endpoint: str

    def close(self) -> None:
        """Close the port and end all prompts."""


class BackdoorSettings(NamedTuple):
    """Where a backdoor listens, its token (None: a random one), and where `ip` is configured."""

    ip: str = _LOOPBACK
    token: str | None = None
    where: Location | str = '--debug'


_open: Callable[..., OpenBackdoor] = lazy('lymph.core._backdoor.server:Backdoor')


def read_backdoor(debug: ConfigView, asked: bool = False) -> BackdoorSettings | None:
    """Return the settings of a `debug` section; None if no backdoor is to be opened.

    One is opened if the section has `backdoor_ip`, or with `asked` (the option --debug). Raises
    ConfigurationError for an unknown key, an invalid address and a token of less than 16
    characters.
    """
    refuse_unknown(debug, ('backdoor_ip', 'backdoor_token'), plain=True)
    ip = debug.get_line('backdoor_ip', None)
    token = debug.get_line('backdoor_token', None)
    if token is not None and len(token) < _SHORTEST:
        raise debug.error('backdoor_token', f'expected {_SHORTEST} characters or more')
    if ip is None:
        return BackdoorSettings(token=token) if asked else None
    try:
        return BackdoorSettings(check_host(ip), token, debug.locate('backdoor_ip'))
    except ValueError as error:
        raise debug.error('backdoor_ip', str(error)) from None


def open_backdoor(
    settings: BackdoorSettings, identity: str, names: Callable[[], dict[str, Any]]
) -> OpenBackdoor:
    """Open a backdoor; `names()` returns the names that its prompts define.

    Raises ConfigurationError if the address cannot be listened at.
    """
    token = _new_token() if settings.token is None else settings.token
    try:
        return _open(settings.ip, identity, token, lambda: _complete_namespace(names()))
    except OSError as error:
        text = f'no backdoor at {settings.ip}: {error.strerror or error}'
        raise ConfigurationError(
            f'{text}; name an address of this machine', settings.where
        ) from error
