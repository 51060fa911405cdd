"""The limits of what a peer may send; calls and events have the same.

The README of lymph-core lists them for users.

===============  =========  =====================================================================
DEPTH                   32  levels of nested lists and maps in a packed value
ITEMS            1,000,000  members of all lists and maps of one message together
EVENT               15 MiB  the body of an event, as the event system packs it
HEADERS             16 KiB  packed headers of a message or an event
SUBJECT          255 bytes  ``interface.method`` of a request; the type of an event
ID               255 bytes  the id of a message or an event; the source of an event
TRACE_ID    128 characters  letters, digits and ``._:-``
===============  =========  =====================================================================
"""

from __future__ import annotations

__all__ = ['DEPTH', 'EVENT', 'HEADERS', 'ID', 'ITEMS', 'SUBJECT', 'TRACE_ID']

DEPTH = 32
ITEMS = 1_000_000
# RabbitMQ 4 accepts messages of up to 16 MiB by default. Headers, id and source are not included
# in this limit, so an event that was emitted can be emitted again with other headers.
EVENT = 15 * 2**20  # bytes
HEADERS = 16 * 1024  # bytes
SUBJECT = 255  # bytes; what AMQP allows for a routing key
ID = 255  # bytes
TRACE_ID = 128  # characters
