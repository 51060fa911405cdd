"""The versions of MCP, and how they differ.

==============================================  ====================================================
version                                         what clients do
==============================================  ====================================================
2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25  they agree on a version with ``initialize``, and
                                                send it in the header ``MCP-Protocol-Version``;
                                                without the header it is 2025-03-26
2026-07-28                                      each request tells its version in the header and
                                                in ``params._meta``, and its method and tool in
                                                the headers ``Mcp-Method`` and ``Mcp-Name``
==============================================  ====================================================

Up to 2025-03-26 one body may have several messages. From 2026-07-28 on, errors have a status of
their own, and each result says what it is. Source: https://modelcontextprotocol.io/specification
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, Final

from lymph.config.printable import quoted
from lymph.web._gateway.mcp.messages import (
    HEADER_MISMATCH,
    INVALID_PARAMS,
    UNSUPPORTED_VERSION,
    McpError,
    McpMessage,
)

__all__ = [
    'AGREED',
    'BATCHES',
    'DEFAULT',
    'LATEST_AGREED',
    'SELF_CONTAINED',
    'SUPPORTED',
    'check_envelope',
    'tells_version',
    'unsupported',
]

#: the versions that `initialize` agrees on, the latest first
AGREED: Final = ('2025-11-25', '2025-06-18', '2025-03-26', '2024-11-05')
LATEST_AGREED: Final = AGREED[0]
#: those whose requests stand alone
SELF_CONTAINED: Final = ('2026-07-28',)
SUPPORTED: Final = (*SELF_CONTAINED, *AGREED)
#: of a client that sends no header
DEFAULT: Final = '2025-03-26'
#: those that allow several messages in one body
BATCHES: Final = frozenset({'2024-11-05', '2025-03-26'})

_SHOWN: Final = 100  # characters of a version
_VERSION: Final = 'io.modelcontextprotocol/protocolVersion'
_CAPABILITIES: Final = 'io.modelcontextprotocol/clientCapabilities'
_CODED: Final = re.compile(r'=\?base64\?(.*)\?=')


def unsupported(version: object, id: str | int | None = None) -> McpError:
    """Return the error for a version that is not supported."""
    requested = version[:_SHOWN] if isinstance(version, str) else version
    return McpError(
        UNSUPPORTED_VERSION,
        f'expected one of the protocol versions {", ".join(SUPPORTED)}, found {quoted(version)}',
        id,
        {'supported': list(SUPPORTED), 'requested': requested},
    )


def check_envelope(message: McpMessage, header: Callable[[str], str | None]) -> None:
    """Check what a self-contained request says of itself; `header(name)` returns a header.

    Raises McpError for a missing version or missing capabilities, for headers that say something
    else, so that nobody on the way was misled, and for a version that is not supported.
    """
    meta = message.meta
    for key in (_VERSION, _CAPABILITIES):
        if key not in meta:
            raise McpError(INVALID_PARAMS, f'expected {key} in params._meta', message.id)
    version = meta[_VERSION]
    _expect('MCP-Protocol-Version', header, version, message)
    _expect('Mcp-Method', header, message.method, message)
    if message.method == 'tools/call':
        _expect('Mcp-Name', header, message.params.get('name'), message, _decoded)
    if version not in SELF_CONTAINED:
        raise unsupported(version, message.id)


def tells_version(message: McpMessage) -> bool:
    """Tell whether a request is self-contained, whatever its headers are."""
    return _VERSION in message.meta


def _expect(
    name: str,
    header: Callable[[str], str | None],
    expected: Any,
    message: McpMessage,
    decode: Callable[[str], str | None] = lambda text: text,
) -> None:
    found = header(name)
    if found is None or decode(found) != expected:
        raise McpError(
            HEADER_MISMATCH,
            f'expected the header {name} to be {quoted(expected)} as in the body, '
            f'found {"none" if found is None else quoted(found)}',
            message.id,
        )


def _decoded(text: str) -> str | None:
    """Return a header's text; what HTTP cannot carry is sent as ``=?base64?...?=``."""
    coded = _CODED.fullmatch(text)
    if coded is None:
        return text
    try:
        return base64.b64decode(coded[1], validate=True).decode()
    except (binascii.Error, ValueError):
        return None
