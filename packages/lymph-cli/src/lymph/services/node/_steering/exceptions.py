"""Why a node does not do what somebody asks of it.

::

    LymphError
      Denied       the request lacks the token of the node
      NotReady     a process that was to be started does not serve
      Refused      it cannot be done
      UnknownName  there is no definition and no process of that name
"""

from __future__ import annotations

from lymph.config import LymphError

__all__ = ['ChangeRefused', 'Denied', 'NotReady', 'UnknownName']


class Denied(LymphError):
    """The token of a call is not that of the node."""


class NotReady(LymphError):
    """A process that was to be started does not serve; the text says which and why."""


class ChangeRefused(LymphError):
    """What somebody asks of a node cannot be done."""


class UnknownName(LymphError):
    """A name is neither a definition nor a process of this node."""
