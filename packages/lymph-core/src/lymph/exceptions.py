"""Every error that lymph raises on purpose, as one tree.

The second column is the distribution that defines the class, without ``lymph-``. Classes whose name
begins with an underscore are caught in the file that defines them, and are not drawn.

::

    LymphError                      config        the base of all
    ├── ConfigurationError          config        a file, a key path, what to do
    │   ├── MissingKeyError         config        a required key is missing; also a KeyError
    │   └── PluginError             config        a plugin is missing, broken or of the wrong kind
    ├── SerializationError          core          a value cannot be packed; names the path to it
    │   └── EventTooLarge           core          larger than any event may be; also a ValueError
    ├── RegistrationFailure         core          the registry did not accept an instance
    ├── EmitFailure                 core          an event may be lost
    ├── EventRejected               core          raised by a handler: no attempt can handle it
    ├── SubscriptionError           core          a handler cannot be subscribed as declared
    ├── ResourceError               core          a resource of a unit of work cannot be used
    ├── WrongThread                 core          used in another native thread; nothing was done
    ├── RpcError                    core          a call did not return a result
    │   ├── NotSent                 core          executed = no: the call is safe to repeat
    │   │   ├── LookupFailure       core          the service has no instance
    │   │   ├── NotConnected        core          it has instances, but none could be reached
    │   │   └── Expired             core          no time was left to send it; also a Timeout
    │   ├── Timeout                 core          executed = maybe: no answer by the deadline
    │   ├── ConnectionLost          core          executed = maybe: the link broke meanwhile
    │   ├── Nack                    core          the peer answered with a NACK
    │   │   ├── Refused             core          executed = no: overloaded, unknown method, ...
    │   │   └── Failed              core          executed = yes: an undeclared error of the method
    │   └── RemoteError             core          executed = yes: an error declared in `raises`;
    │                                             ``RemoteError.<Name>`` is made on demand
    ├── MessageTooLong              core          over `max_message_size`; also a ValueError
    ├── LinkDown                    core          a link was used that is not up
    ├── ProtocolError               core          a peer violates the ZMTP specification
    ├── SocketMismatch              core          an inherited socket listens elsewhere; an OSError
    ├── FlightEnded                 core          a look-up was ended before it had a result
    ├── QueueInUse                  core          a queue that is to be dropped has consumers
    ├── NotHandled                  core          an event of a type for another version
    ├── BadAnnotation               core          an annotation of a declaration cannot be used
    ├── Misfit                      core          a value does not fit an annotation; a ValueError
    ├── StoreError                  core          the embedded events cannot be read or written
    │   └── UnknownOwner            core          the store has dropped this process as dead
    ├── NotChecked                  core          a check of `lymph doctor` cannot run
    ├── BrokerError                 events-kombu  the broker cannot be reached, or refuses something
    │   ├── Unsendable              events-kombu  an event that AMQP cannot carry
    │   ├── Lost                    events-kombu  the connection to Redis broke
    │   ├── NoAnswer                events-kombu  Redis did not answer in time
    │   └── CommandRefused          events-kombu  Redis answered with an error
    ├── AnswerAborted               web           an answer failed after its first byte was sent
    │   └── ClientGone              web           the client left, or does not read its answer
    ├── CallProblem                 web           a call through a gateway has no result
    ├── McpError                    web           a message of MCP is answered with an error
    ├── AnswerError                 web           an application's answer cannot be sent as HTTP
    ├── HeadError                   web           the head of a request is refused with a status
    ├── TlsError                    web           a client does not speak TLS, or violates it
    ├── CertificateError            web           a certificate or its key cannot be used
    ├── ChunkError                  web           a chunked body is malformed
    ├── OperationFailed             cli           exit code 1, and its text as one line on stderr
    ├── CodeFailed                  cli           code that the configuration names raised
    ├── Unusable                    cli           a part that a check needs could not be made
    ├── Denied                      cli           the token of a call is not that of the node
    ├── NotReady                    cli           a process that a node starts does not serve
    ├── ChangeRefused               cli           a node cannot do what it was asked to do
    ├── UnknownName                 cli           a node has no such definition and no such process
    ├── ServerError                 testing       a private server does not run
    │   ├── ServerMissing           testing       its program is not installed
    │   └── ServerFailed            testing       it does not start, stop or answer
    └── NoNamespaces                testing       hosts cannot be made; also a RuntimeError

    Cancelled                       core          a BaseException: nobody waits for the call
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Final, Literal, TypedDict, cast
from weakref import WeakValueDictionary

from lymph.config.exceptions import (
    ConfigurationError,
    LymphError,
    MissingKeyError,
    PluginError,
)
from lymph.core.reasons import FAILED, FORBIDDEN, Reason

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    'CallFacts',
    'CancelReason',
    'Cancelled',
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
    'ResourceError',
    'RpcError',
    'SerializationError',
    'SubscriptionError',
    'Timeout',
    'WrongThread',
]

Executed = Literal['no', 'maybe', 'yes']
CancelReason = Literal['deadline', 'caller gone', 'given up']


class Cancelled(BaseException):
    """Thrown into the handler of a call that nobody waits for any more, if it may be cancelled.

    `reason` is ``deadline`` (the deadline of the call has passed), ``caller gone`` (its caller has
    disconnected) or ``given up`` (its caller has said that it does not wait any more). It is no
    Exception, so that a handler does not go on because of an ``except Exception``.
    """

    def __init__(self, reason: CancelReason = 'given up') -> None:
        super().__init__(reason)
        self.reason: CancelReason = reason

    def __str__(self) -> str:
        return _WHY.get(self.reason, str(self.reason))


_WHY: Final[dict[str, str]] = {
    'deadline': 'the deadline of the call has passed',
    'caller gone': 'its caller has disconnected',
    'given up': 'its caller has given up',
}


class CallFacts(TypedDict, total=False):
    """The facts of a call as keyword arguments of its errors; see `RpcError`."""

    subject: str | None
    endpoint: str | None
    timeout: float | None
    trace_id: str | None


class SerializationError(LymphError, TypeError):
    """A value cannot be packed, or received bytes cannot be unpacked."""


class EventTooLarge(SerializationError, ValueError):
    """The body of an event is larger than `lymph.core.limits.EVENT`; nothing was sent."""


class RegistrationFailure(LymphError):
    """The registry did not accept an instance."""


class EmitFailure(LymphError):
    """The event system did not confirm an event: it may or may not reach its handlers."""


class EventRejected(LymphError):
    """Raised by a handler: no attempt can handle the event, so it becomes a dead letter at once."""


class SubscriptionError(LymphError):
    """A handler cannot be subscribed as it was declared."""


class ResourceError(LymphError, RuntimeError):
    """A resource of a unit of work was used where it cannot be, or was not declared as one."""


class WrongThread(LymphError, RuntimeError):
    """An object was used in another native thread than the one that made its container or client.

    `what` says in words what was attempted. It had no effect: no call or event was sent.
    """

    def __init__(self, what: str) -> None:
        super().__init__(
            f'{what} in another native thread than the one that made the container or client; '
            'make a client in that thread, or have a greenlet wait for what the thread returns: '
            'gevent.get_hub().threadpool.apply(function)'
        )
        self.what = what

    def __reduce__(self) -> Any:
        return type(self), (self.what,), self.__dict__


class RpcError(LymphError):
    """A call did not return a result. Its attributes are the facts of the call.

    ============ ===============================================================================
    ``executed`` whether the method ran: ``no``, ``maybe`` or ``yes``; the same for a whole class
    ``subject``  the method, ``interface.method``
    ``endpoint`` the instance that the call was sent to, or that could not be reached
    ``timeout``  the timeout of the call in seconds
    ``trace_id`` the trace id of the call, which finds it in the logs of all services
    ``reason``   of a `Nack`, why there is no result; see `lymph.core.reasons`
    ============ ===============================================================================

    An attribute is None if there is no such fact: a call that was not sent has no endpoint, the
    look-up of a service has no subject. Attributes survive copying and pickling.
    """

    executed: ClassVar[Executed] = 'maybe'
    # class attributes, so that subclasses that do not call __init__ have them too
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
        """Set the attributes that are None; others keep their values."""
        if self.subject is None:
            self.subject = subject
        if self.endpoint is None:
            self.endpoint = endpoint
        if self.timeout is None:
            self.timeout = timeout
        if self.trace_id is None:
            self.trace_id = trace_id

    @property
    def facts(self) -> CallFacts:
        """The facts as keyword arguments, to make another error about the same call."""
        return {
            'subject': self.subject,
            'endpoint': self.endpoint,
            'timeout': self.timeout,
            'trace_id': self.trace_id,
        }


class NotSent(RpcError):
    """The request was not sent, so the method did not run."""

    executed: ClassVar[Executed] = 'no'


class LookupFailure(NotSent):
    """No instance serves the call; `service` is its name if the registry knows no such service."""

    def __init__(
        self, text: str = '', service: str | None = None, **facts: Unpack[CallFacts]
    ) -> None:
        super().__init__(text, **facts)
        self.service = service


class NotConnected(NotSent):
    """The service is known, but none of its instances could be reached."""


class Timeout(RpcError):
    """No answer arrived by the deadline; the method may have run."""

    executed: ClassVar[Executed] = 'maybe'


class Expired(NotSent, Timeout):
    """The deadline of the call passed before the request was sent."""

    executed: ClassVar[Executed] = 'no'


class ConnectionLost(RpcError):
    """The link broke while the call was in flight; the method may have run."""

    executed: ClassVar[Executed] = 'maybe'


class Nack(RpcError):
    """The peer answered with a NACK.

    `reason` is one of `lymph.core.reasons`, or another text from a peer with a newer version.
    """

    reason: Reason

    def __init__(self, text: str = '', reason: Reason = FAILED, **facts: Unpack[CallFacts]) -> None:
        super().__init__(text, **facts)
        self.reason = reason


class Refused(Nack):
    """The peer refused the call before its method ran.

    An interceptor raises it to refuse a unit of work, with a reason of its choice.
    """

    executed: ClassVar[Executed] = 'no'

    def __init__(
        self, text: str = '', reason: Reason = FORBIDDEN, **facts: Unpack[CallFacts]
    ) -> None:
        super().__init__(text, reason, **facts)


class Failed(Nack):
    """The method ran and raised an error that it does not declare, or its reply is unreadable."""

    executed: ClassVar[Executed] = 'yes'


class _RemoteErrors(type):
    """Metaclass that makes ``RemoteError.<Name>`` a subclass of RemoteError, one for each name."""

    # weak: a class that no code and no live error refers to is forgotten
    _classes: ClassVar[WeakValueDictionary[str, type[RemoteError]]] = WeakValueDictionary()

    def __getattr__(cls, name: str) -> type[RemoteError]:
        if name.startswith('_') or not name.isidentifier():
            raise AttributeError(f'{cls.__name__} has no attribute {name!r}')
        return cls._named(name)

    def _named(cls, name: str) -> type[RemoteError]:
        known = cls._classes.get(name)
        if known is not None:
            return known
        names = {'__module__': RemoteError.__module__, '_type': name}
        made: Any = _RemoteErrors(name, (RemoteError,), names)
        cls._classes[name] = made
        return cast('type[RemoteError]', made)


class RemoteError(RpcError, metaclass=_RemoteErrors):
    """The method raised an error that it declares; `type` is the name of the error's class.

    ``except RemoteError.ValueError`` catches errors of this name, ``except RemoteError`` catches
    all. The default of `type` is ``ValueError`` for a ``RemoteError.ValueError`` and so on, and
    ``Exception`` for a RemoteError itself.
    """

    executed: ClassVar[Executed] = 'yes'
    _type: ClassVar[str] = 'Exception'

    def __init__(self, text: str = '', type: str | None = None, **facts: Unpack[CallFacts]) -> None:
        super().__init__(text, **facts)
        self.type = self._type if type is None else type

    def __reduce__(self) -> Any:
        name = type(self).__name__
        if RemoteError._classes.get(name) is not type(self):
            return super().__reduce__()
        # pickle could not import a class that is made on demand
        return RemoteError.named, (name, str(self)), self.__dict__

    @staticmethod
    def named(type: str, text: str, **facts: Unpack[CallFacts]) -> RemoteError:
        """Return the error for a class name that a peer has sent.

        Its class is ``RemoteError.<type>``, or RemoteError if `type` is not an identifier. `facts`
        are keyword arguments of `RpcError`.
        """
        cls = RemoteError._named(type) if type.isidentifier() else RemoteError
        return cls(text, type, **facts)
