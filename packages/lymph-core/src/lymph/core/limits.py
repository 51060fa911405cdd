"""How much of anything a peer may send: one number for each, the same on all ways in.

The README of lymph-core lists them for users.

===============  =========  =====================================================================
DEPTH                   32  containers inside each other, in what is packed and unpacked
ITEMS            1,000,000  members of all containers of one message together
HEADERS             16 KiB  packed headers of a message or an event
SUBJECT          255 bytes  ``interface.method`` of a request; the type of an event
ID               255 bytes  the id of a message or an event; who emitted an event
TRACE_ID    128 characters  letters, digits and ``._:-``
===============  =========  =====================================================================
"""

from __future__ import annotations

__all__ = ['DEPTH', 'HEADERS', 'ID', 'ITEMS', 'SUBJECT', 'TRACE_ID']

DEPTH = 32
ITEMS = 1_000_000
HEADERS = 16 * 1024  # bytes
SUBJECT = 255  # bytes; what AMQP allows for a routing key
ID = 255  # bytes
TRACE_ID = 128  # characters
