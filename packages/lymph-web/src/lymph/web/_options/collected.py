"""All options of an interface's section: their keys, and the features that they switch on.

An option that changes how requests are answered is a frozen dataclass in a module of its own::

    @dataclass(frozen=True)
    class Cors:
        KEYS: ClassVar[tuple[str, ...]] = ('cors',)

        @classmethod
        def from_config(cls, view: ConfigView) -> Cors | None:  # None: it is off

        def features(self) -> Features:

It is added to `_SWITCHED`, in the order in which requests meet the options.
"""

from __future__ import annotations

from dataclasses import fields
from typing import ClassVar, Final, Protocol

from lymph.config import ConfigView
from lymph.web._answering.features import Features
from lymph.web._http.limits import Limits
from lymph.web._options import server_names
from lymph.web._options.compression import Compression
from lymph.web._options.cookies import CookieDefaults
from lymph.web._options.cors import Cors
from lymph.web._options.deadlines import RequestDeadlines
from lymph.web._options.hosts import Hosts
from lymph.web._options.listening import Listening
from lymph.web._options.proxies import TrustedProxies
from lymph.web._options.timings import ServerTimings
from lymph.web._options.tls import Tls

__all__ = ['KEYS', 'features_from']


class _Option(Protocol):
    KEYS: ClassVar[tuple[str, ...]]

    @classmethod
    def from_config(cls, view: ConfigView) -> _Option | None:
        """Return the option as configured, None if it is off."""

    def features(self) -> Features:
        """Return what the option does with each request."""


_SWITCHED: Final[tuple[type[_Option], ...]] = (
    TrustedProxies,
    Hosts,
    ServerTimings,
    Cors,
    Compression,
    CookieDefaults,
)

#: the keys that lymph reads; other keys belong to the author of the interface
KEYS: Final[tuple[str, ...]] = (
    'debug',
    'healthcheck',
    *Listening.KEYS,
    *Tls.KEYS,
    server_names.KEY,
    *(field.name for field in fields(Limits)),
    *RequestDeadlines.KEYS,
    *(key for option in _SWITCHED for key in option.KEYS),
)


def features_from(view: ConfigView, anyone_shortens: bool = False) -> Features:
    """Return the features that a section switches on. Raises ConfigurationError.

    `anyone_shortens` tells whether every client may shorten the deadline of its requests.
    """
    found: list[_Option | None] = [option.from_config(view) for option in _SWITCHED]
    found.append(RequestDeadlines.from_config(view, anyone_shortens))
    return Features.merged(each.features() for each in found if each is not None)
