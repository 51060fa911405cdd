"""The transport `memory`: links within one process, with faults on demand.

Tests run the whole stack on it. Endpoints are ``memory://name``; a listener at ``memory://`` gets a
unique name. Containers can connect if they use the same `MemoryNetwork`; all transports that are
not given one share a common one.
"""

from __future__ import annotations

from lymph.core.transport._memory.network import Faults, MemoryNetwork
from lymph.core.transport._memory.transport import MemoryTransport

__all__ = ['Faults', 'MemoryNetwork', 'MemoryTransport']
