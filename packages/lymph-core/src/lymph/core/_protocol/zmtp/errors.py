"""The one error of the ZMTP logic."""

from __future__ import annotations

from lymph.exceptions import LymphError

__all__ = ['ProtocolError']


class ProtocolError(LymphError):
    """The peer has violated the protocol; the link has to be closed."""

    def __init__(self, found: str) -> None:
        super().__init__(f'the peer sent {found}')
