"""Limits of what a client may use: sizes, waiting times, connections."""

from __future__ import annotations

from dataclasses import Field, dataclass, fields
from typing import Any

from lymph.config import ConfigView

__all__ = ['Limits']

_LARGEST = 2**40  # bytes: more than any machine holds
_MOST = 1_000_000  # connections, requests or fields
_COUNTED = ('max_connections', 'max_headers', 'queue_size', 'wsgi_pool_size')


@dataclass(frozen=True)
class Limits:
    """Limits of one HTTP server; each is a key of the interface's configuration.

    ================  ============  ================================================================
    key               default       what it bounds
    ================  ============  ================================================================
    wsgi_pool_size    none          requests being answered at once; more wait
    queue_size        100           requests that wait for a place among these; 503
    queue_timeout     1 s           for which such a request waits; 503
    max_connections   none          connections open at once; more wait to be accepted
    max_header_size   32 KiB        bytes of the request line and all header fields; 431
    max_headers       100           header fields; 431
    max_body_size     16 MiB        bytes of the body; 413
    header_timeout    10 s          from the first byte of a request to the end of its head; 408
    idle_timeout      60 s          between two requests on a connection
    stall_timeout     30 s          without a byte while a body is read (408), and for each 64 KiB
                                    of an answer to leave; the connection is closed
    body_timeout      300 s         in which a whole body arrives, while it is waited for; 408
    ================  ============  ================================================================
    """

    wsgi_pool_size: int | None = None
    queue_size: int = 100
    queue_timeout: float = 1.0
    max_connections: int | None = None
    max_header_size: int = 32 * 1024
    max_headers: int = 100
    max_body_size: int = 16 * 1024 * 1024
    header_timeout: float = 10.0
    idle_timeout: float = 60.0
    stall_timeout: float = 30.0
    body_timeout: float = 300.0

    @classmethod
    def from_config(cls, config: ConfigView) -> Limits:
        """Return the limits that an interface's section sets.

        Raises ConfigurationError for what is not a positive number of a sensible size.
        """
        values: dict[str, Any] = {}
        field: Field[Any]
        for field in fields(cls):
            if isinstance(field.default, float):
                values[field.name] = config.get_seconds(field.name, field.default)
            else:
                most = _MOST if field.name in _COUNTED else _LARGEST
                values[field.name] = config.get_int(
                    field.name, field.default, minimum=1, maximum=most
                )
        return cls(**values)
