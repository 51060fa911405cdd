"""How much of anything a peer may send: one number for each, the same on all ways in.

The README of lymph-core lists them for users.

===============  =========  =====================================================================
DEPTH                   32  containers inside each other, in what is packed and unpacked
ITEMS            1,000,000  members of all containers of one message together
EVENT               15 MiB  the body of an event, as the event system packs it
HEADERS             16 KiB  packed headers of a message or an event
SUBJECT          255 bytes  ``interface.method`` of a request; the type of an event
ID               255 bytes  the id of a message or an event; who emitted an event
TRACE_ID    128 characters  letters, digits and ``._:-``
===============  =========  =====================================================================
"""

from __future__ import annotations

__all__ = ['DEPTH', 'EVENT', 'HEADERS', 'ID', 'ITEMS', 'SUBJECT', 'TRACE_ID']

DEPTH = 32
ITEMS = 1_000_000
# RabbitMQ 4 takes messages of 16 MiB unless it is told otherwise. Headers, id and source come on
# top, so that an event which was emitted once can be emitted again with other headers.
EVENT = 15 * 2**20  # bytes
HEADERS = 16 * 1024  # bytes
SUBJECT = 255  # bytes; what AMQP allows for a routing key
ID = 255  # bytes
TRACE_ID = 128  # characters
