"""The host name that subdomains in `url_map` are part of: the key `server_name`."""

from __future__ import annotations

from typing import Final

from lymph.config import ConfigView
from lymph.core.addresses import check_host

__all__ = ['KEY', 'read_server_name']

KEY: Final = 'server_name'


def read_server_name(view: ConfigView) -> str | None:
    """Return the name in lower case, None if there is none. Raises ConfigurationError."""
    if view.get_raw(KEY) is None:
        return None
    try:
        return check_host(view.get_line(KEY)).lower()
    except ValueError:
        text = "expected a host name without a port, such as 'example.com', found "
        raise view.error(KEY, text + view.describe(KEY)) from None
