"""Every error lymph raises on purpose, as one tree.

::

    LymphError                        home: lymph.config
    ├── ConfigurationError            home: lymph.config; a file, a key path, what to do
    │   └── PluginError               a plugin is missing, broken, ambiguous or of the wrong kind
    ├── SerializationError            a value cannot travel; names the path to it
    │   └── EventTooLarge             an event is larger than any event may be; also a ValueError
    ├── RegistrationFailure           the registry did not take an instance
    ├── EmitFailure                   an event is not known to be safe
    ├── EventRejected                 raised by a handler: no attempt can handle the event
    ├── SubscriptionError             a handler cannot be subscribed as it was declared
    ├── WrongThread                   used in another native thread; nothing was done
    └── RpcError                      a call did not return a result
        ├── NotSent                   executed = no: try again as you like
        │   ├── LookupFailure         nobody offers the service
        │   ├── NotConnected          somebody does, but nobody could be reached
        │   └── Expired               the time was over before anything was sent; also a Timeout
        ├── Timeout                   executed = maybe: no answer by the deadline
        ├── ConnectionLost            executed = maybe: the link broke with the call in flight
        ├── Nack                      the peer answered with a refusal or a failure
        │   ├── Refused               executed = no: overloaded, draining, unknown method, ...
        │   └── Failed                executed = yes: the handler raised something undeclared
        └── RemoteError               executed = yes: an error that the method declares in `raises`
            └── RemoteError.<Name>    one class for each name, made on demand
"""

from __future__ import annotations

from typing import Any, ClassVar, Literal, cast
from weakref import WeakValueDictionary

from lymph.config.exceptions import (
    ConfigurationError,
    LymphError,
    MissingKeyError,
    PluginError,
)
from lymph.core.reasons import FAILED, Reason

__all__ = [
    'ConfigurationError',
    'ConnectionLost',
    'EmitFailure',
    'EventRejected',
    'EventTooLarge',
    'Executed',
    'Expired',
    'Failed',
    'LookupFailure',
    'LymphError',
    'MissingKeyError',
    'Nack',
    'NotConnected',
    'NotSent',
    'PluginError',
    'Reason',
    'Refused',
    'RegistrationFailure',
    'RemoteError',
    'RpcError',
    'SerializationError',
    'SubscriptionError',
    'Timeout',
    'WrongThread',
]

Executed = Literal['no', 'maybe', 'yes']


class SerializationError(LymphError, TypeError):
    """A value cannot be packed or unpacked."""


class EventTooLarge(SerializationError, ValueError):
    """The body of an event is larger than `lymph.core.limits.EVENT`; nothing was sent."""


class RegistrationFailure(LymphError):
    """The registry did not take an instance."""


class EmitFailure(LymphError):
    """An event was not confirmed as safe; it may or may not reach its handlers."""


class EventRejected(LymphError):
    """An event that no attempt can handle: raised by its handler, it is a dead letter at once."""


class SubscriptionError(LymphError):
    """A handler cannot be subscribed as it was declared."""


class WrongThread(LymphError, RuntimeError):
    """Something was done in another native thread than the one that made the container.

    `what` was done, in words. Nothing has happened: no call or event was sent.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f'{what} in another native thread than the one that made the container or client; '
            'make a client in that thread, or have a greenlet wait for what the thread returns: '
            'gevent.get_hub().threadpool.apply(function)'
        )
        self.what = what

    def __reduce__(self) -> Any:
        return type(self), (self.what,)


class RpcError(LymphError):
    """A call did not return a result. Its attributes say what is known of the call.

    ============ ===============================================================================
    ``executed`` whether the method ran: ``no``, ``maybe`` or ``yes``; of every class one of them
    ``subject``  the method, ``interface.method``
    ``endpoint`` the instance that the call was sent to, or that could not be reached
    ``timeout``  the seconds that the call had
    ``trace_id`` the trace id of the call, to be looked for in the logs of all services
    ``reason``   of a `Nack`, why; see `lymph.core.reasons`
    ============ ===============================================================================

    An attribute is None where there is no such fact: a call that was sent to nobody has no
    endpoint, the look-up of a service has no subject. They survive copying and pickling.
    """

    executed: ClassVar[Executed] = 'maybe'
    # also of subclasses that do not call __init__
    subject: str | None = None
    endpoint: str | None = None
    timeout: float | None = None
    trace_id: str | None = None
    reason: Reason | None = None

    def __init__(
        self,
        *args: object,
        subject: str | None = None,
        endpoint: str | None = None,
        timeout: float | None = None,
        trace_id: str | None = None,
    ) -> None:
        super().__init__(*args)
        self.add_facts(subject, endpoint, timeout, trace_id)

    def add_facts(
        self,
        subject: str | None = None,
        endpoint: str | None = None,
        timeout: float | None = None,
        trace_id: str | None = None,
    ) -> None:
        """Set those attributes that are None; what is known already stays."""
        if self.subject is None:
            self.subject = subject
        if self.endpoint is None:
            self.endpoint = endpoint
        if self.timeout is None:
            self.timeout = timeout
        if self.trace_id is None:
            self.trace_id = trace_id

    @property
    def facts(self) -> dict[str, Any]:
        """The keyword arguments that make another error about the same call."""
        return {
            'subject': self.subject,
            'endpoint': self.endpoint,
            'timeout': self.timeout,
            'trace_id': self.trace_id,
        }


class NotSent(RpcError):
    """The request never left this process."""

    executed: ClassVar[Executed] = 'no'


class LookupFailure(NotSent):
    """Nobody offers the service; `service` is its name where the registry knows no such service."""

    def __init__(self, text: str = '', service: str | None = None, **facts: Any) -> None:
        super().__init__(text, **facts)
        self.service = service


class NotConnected(NotSent):
    """The service is known, but none of its instances could be reached."""


class Timeout(RpcError):
    """No answer arrived by the deadline; the method may have run."""

    executed: ClassVar[Executed] = 'maybe'


class Expired(NotSent, Timeout):
    """The deadline of the call passed before anything was sent."""

    executed: ClassVar[Executed] = 'no'


class ConnectionLost(RpcError):
    """The link broke while the call was in flight; the method may have run."""

    executed: ClassVar[Executed] = 'maybe'


class Nack(RpcError):
    """The peer answered with a NACK; `reason` is one of `lymph.core.reasons`, or a newer one."""

    reason: Reason

    def __init__(self, text: str = '', reason: Reason = FAILED, **facts: Any) -> None:
        super().__init__(text, **facts)
        self.reason = reason


class Refused(Nack):
    """The peer refused the call before its method ran."""

    executed: ClassVar[Executed] = 'no'


class Failed(Nack):
    """The method ran and raised something that it does not declare."""

    executed: ClassVar[Executed] = 'yes'


class _RemoteErrors(type):
    """Makes ``RemoteError.ValueError`` a subclass of RemoteError, one for each name."""

    # weak: a name that no `except` clause and no live error refers to is forgotten
    _classes: ClassVar[WeakValueDictionary[str, type[RemoteError]]] = WeakValueDictionary()

    def __getattr__(cls, name: str) -> type[RemoteError]:
        if name.startswith('_') or not name.isidentifier():
            raise AttributeError(f'{cls.__name__} has no attribute {name!r}')
        return cls._named(name)

    def _named(cls, name: str) -> type[RemoteError]:
        known = cls._classes.get(name)
        if known is not None:
            return known
        made: Any = _RemoteErrors(name, (RemoteError,), {'__module__': RemoteError.__module__})
        cls._classes[name] = made
        return cast('type[RemoteError]', made)


class RemoteError(RpcError, metaclass=_RemoteErrors):
    """The method raised an error that it declares; `type` is the name of its class there.

    ``except RemoteError.ValueError`` catches the one kind, ``except RemoteError`` all.
    """

    executed: ClassVar[Executed] = 'yes'

    def __init__(self, text: str = '', type: str = 'Exception', **facts: Any) -> None:
        super().__init__(text, **facts)
        self.type = type

    def __reduce__(self) -> Any:
        # the classes of the names are found by no import
        if type(self) is RemoteError:
            return super().__reduce__()
        return RemoteError.named, (self.type, str(self)), self.__dict__

    @staticmethod
    def named(type: str, text: str, **facts: Any) -> RemoteError:
        """Return the error for a class name that arrived from a peer.

        It is of the class ``RemoteError.<type>``, or RemoteError where `type` is no identifier.
        `facts` are the keyword arguments of `RpcError`.
        """
        cls = RemoteError._named(type) if type.isidentifier() else RemoteError
        return cls(text, type, **facts)
