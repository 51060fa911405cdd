"""The reasons of a NACK: why a request got no result.

The caller's error (`lymph.exceptions.Nack`) has it as `reason`. Source: docs/protocol.md.

=================== ========== ========= =========================================================
reason              ran?       elsewhere meaning
=================== ========== ========= =========================================================
unknown_interface   no         yes       this instance has no such interface
unknown_method      no         no        the interface has no such method
unknown_version     no         yes       the interface has no version that serves the request
invalid_arguments   no         no        the arguments do not fit the signature of the method
malformed           no         no        the request cannot be unpacked, or exceeds a limit
expired             no         no        the deadline had passed before the method could run
forbidden           no         no        an interceptor of the service does not allow the call
overloaded          no         yes       as many handlers are running as `pool_size` allows
starting            no         yes       the instance is starting, and will serve the request later
draining            no         yes       the instance is stopping, and will not serve it any more
failed              yes        no        the method raised an error that it does not declare
(any other)         no         yes       a reason that only a newer version knows
=================== ========== ========= =========================================================

*Ran?* tells whether the method ran. *Elsewhere* tells whether the caller retries the request, on
another instance if there is one.
"""

from __future__ import annotations

from typing import Final, Literal, get_args

__all__ = [
    'CALL_IS_WRONG',
    'DRAINING',
    'FAILED',
    'FORBIDDEN',
    'NOT_REPEATED',
    'REASONS',
    'STARTING',
    'Reason',
]

Reason = Literal[
    'unknown_interface',
    'unknown_method',
    'unknown_version',
    'invalid_arguments',
    'malformed',
    'expired',
    'forbidden',
    'overloaded',
    'starting',
    'draining',
    'failed',
]

#: all reasons that this version knows
REASONS: Final[frozenset[str]] = frozenset(get_args(Reason))

STARTING: Final[Reason] = 'starting'
DRAINING: Final[Reason] = 'draining'

#: the reason of a Refused that has been raised without one
FORBIDDEN: Final[Reason] = 'forbidden'

#: the only reason that means that the method ran; a NACK without a reason means it too
FAILED: Final[Reason] = 'failed'

#: not retried: another instance would answer the same, or no time is left to ask one
NOT_REPEATED: Final[frozenset[Reason]] = frozenset(
    {'unknown_method', 'invalid_arguments', 'malformed', 'expired', 'forbidden', 'failed'}
)

#: the caller's mistake: repeating the same call does not help
CALL_IS_WRONG: Final[frozenset[Reason]] = frozenset(
    {'unknown_interface', 'unknown_method', 'unknown_version', 'invalid_arguments'}
)
