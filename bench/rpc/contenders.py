"""Who takes part, with what is asked of each, and which figures are aimed at."""

from __future__ import annotations

from importlib.metadata import entry_points

from bench.rpc.pairs import Subject
from bench.rpc.slices import Slice
from bench.targets import Target

__all__ = ['BIG', 'LYMPH', 'SMALL', 'TARGETS', 'orders', 'subjects']

SMALL, BIG = 1, 65536  # bytes of text
LYMPH, _LYMPH_ZEROMQ = 'lymph', 'lymph over zeromq'

_SUBJECTS = (
    Subject(LYMPH, 'lymph'),
    Subject('floor', 'floor'),
    Subject('raw', 'raw'),
    Subject('zerorpc', 'zerorpc'),
    Subject('grpcio', 'grpc'),
    Subject('grpcio asyncio', 'grpc_asyncio'),
)
_ZEROMQ = Subject(
    _LYMPH_ZEROMQ, 'lymph', server={'transport': 'zeromq'}, client={'transport': 'zeromq'}
)


#: with small payloads
TARGETS = (
    Target(64, 'rate', LYMPH, 'raw', 5.0),
    Target(64, 'rate', LYMPH, 'zerorpc', 8.0),
    Target(64, 'rate', LYMPH, 'grpcio', 8.0),
    Target(64, 'rate', LYMPH, 'grpcio asyncio', 8.0),
    Target(64, 'rate', LYMPH, 'floor', 0.6),
    Target(1, 'p50', LYMPH, 'raw', 0.5, at_least=False),
    Target(64, 'rate', _LYMPH_ZEROMQ, 'raw', 2.5),
)


def subjects() -> list[Subject]:
    """Return all that can be measured here: `zeromq` only where that transport is installed."""
    found = list(_SUBJECTS)
    if 'zeromq' in entry_points(group='lymph.transports').names:
        found.insert(1, _ZEROMQ)
    return found


def orders(seconds: float) -> list[Slice]:
    """Return the slices of a round, each of `seconds`."""
    return [
        Slice(callers, size, seconds, warm_up=seconds / 5)
        for callers in (1, 64)
        for size in (SMALL, BIG)
    ]
