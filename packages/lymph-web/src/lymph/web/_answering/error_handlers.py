"""Error handlers: methods of an interface that answer requests which failed.

Which one answers an error, in this order:

1. the handler of its class or of the nearest base class that has one;
2. but a handler of the status comes before those of `HTTPException` and of its bases;
3. a handler of the status with which the error would be answered otherwise, also for errors that
   are no HTTPException.

Between an interface class and its bases, the nearest class decides.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar

from werkzeug.exceptions import HTTPException, InternalServerError, default_exceptions

from lymph.config.printable import object_name, quoted
from lymph.core._work.forms import deferred_form
from lymph.core.failures import Killed

__all__ = ['ErrorHandlers', 'Found', 'errorhandler']

_MARK: Final = '_lymph_handles'
#: a handler of these is a page for what nobody expects; others expect their errors
_GENERAL: Final = (BaseException, Exception)

F = TypeVar('F', bound=Callable[..., Any])
Which = int | type[BaseException]


def errorhandler(*which: int | type[BaseException]) -> Callable[[F], F]:
    """Return a decorator for a method that answers errors: statuses, or classes of exceptions.

    ::

        class Shop(WebServiceInterface):
            @errorhandler(404)
            def not_found(self, request, error):
                return f'<p>{escape(error.description)}</p>'

            @errorhandler(SoldOut)
            def sold_out(self, request, error):
                return {'left': 0}, 409

    The method is called with the request and the error. It returns what an endpoint may return; a
    value without a status gets that of the error. Headers of the error, such as `Allow` and
    `Retry-After`, are added where the status stays. It may raise an HTTPException, which is
    answered in the usual form. If it raises anything else, so is the first error. A handler of a
    status always gets an HTTPException with this `code`; what was raised is its `__cause__`.

    An error that a handler of its class answers is expected: it is neither logged nor reported to
    the error hook. Handlers of statuses, `Exception` and `BaseException` change only the answer.
    Raises TypeError for anything but statuses from 400 to 599 and classes of exceptions.
    """
    if not which:
        raise TypeError('errorhandler: expected statuses or classes of exceptions, found nothing')
    for each in which:
        _check(each)

    def mark(method: F) -> F:
        func = method.__func__ if isinstance(method, (staticmethod, classmethod)) else method
        setattr(func, _MARK, (*getattr(func, _MARK, ()), *which))
        return method

    return mark


@dataclass(frozen=True)
class Found:
    """The handler that answers an error: the name of a method, and the error to pass to it."""

    name: str
    error: BaseException
    expected: bool


@dataclass(frozen=True)
class ErrorHandlers:
    """The error handlers of a class: the names of methods by class of exception and by status."""

    names: dict[Which, str] = field(default_factory=dict)

    @classmethod
    def of(cls, owner: type) -> ErrorHandlers:
        """Return those of an interface class. Raises TypeError for methods that cannot handle."""
        names: dict[Which, str] = {}
        for base in owner.__mro__:
            own: dict[Which, str] = {}
            for name, which in _marked(owner, base):
                problem = _problem(owner, name)
                if problem is None and which in own and own[which] != name:
                    problem = f'{_text(which)} is handled by {own[which]} already'
                if problem is not None:
                    raise TypeError(f'{owner.__qualname__}.{name}: {problem}')
                own[which] = name
            names = {**own, **names}
        return cls(names)

    def __bool__(self) -> bool:
        return bool(self.names)

    def find(self, error: BaseException, status: int, message: str) -> Found | None:
        """Return the handler of an error that is answered with a status and a message by default.

        None if there is none.
        """
        if not isinstance(error, HTTPException):
            return self._by_class(error, type(error).__mro__) or self._by_status(
                error, status, message
            )
        own = type(error).__mro__[: type(error).__mro__.index(HTTPException)]
        return (
            self._by_class(error, own)
            or self._by_status(error, status, message)
            or self._by_class(error, HTTPException.__mro__)
        )

    def _by_class(self, error: BaseException, kinds: tuple[type, ...]) -> Found | None:
        for kind in kinds:
            if kind in self.names:
                return Found(self.names[kind], error, kind not in _GENERAL)
        return None

    def _by_status(self, error: BaseException, status: int, message: str) -> Found | None:
        if status not in self.names:
            return None
        fits = isinstance(error, HTTPException) and error.code == status
        passed = error if fits else _as_http(error, status, message)
        return Found(self.names[status], passed, False)


def _as_http(error: BaseException, status: int, message: str) -> HTTPException:
    if status == InternalServerError.code:
        wrapped: HTTPException = InternalServerError(message, original_exception=error)
    else:
        wrapped = default_exceptions.get(status, HTTPException)(message)
    wrapped.code = status
    wrapped.__cause__ = error
    return wrapped


def _check(which: object) -> None:
    if isinstance(which, type) and issubclass(which, BaseException):
        if issubclass(which, Killed):
            raise TypeError('errorhandler: Killed ends a request, nothing can answer it')
        return
    if isinstance(which, int) and not isinstance(which, bool) and 400 <= which <= 599:
        return
    found = quoted(which) if isinstance(which, int) else object_name(which)
    advice = ''
    if not isinstance(which, type) and callable(which):
        advice = '; write @errorhandler(404) with what it handles above the method'
    raise TypeError(
        'errorhandler: expected statuses from 400 to 599 or classes of exceptions, '
        f'found {found}{advice}'
    )


def _marked(owner: type, base: type) -> Iterator[tuple[str, Which]]:
    """Yield the handlers that `base` defines and that no class nearer to `owner` replaces."""
    for name in vars(base):
        found = inspect.getattr_static(owner, name)
        if found is vars(base)[name]:
            func = found.__func__ if isinstance(found, (staticmethod, classmethod)) else found
            for which in getattr(func, '__dict__', {}).get(_MARK, ()):
                yield name, which


def _problem(owner: type, name: str) -> str | None:
    static = inspect.getattr_static(owner, name)
    problem = deferred_form(static)
    if problem is not None:
        return f'expected a method that answers errors, found {problem}'
    bound = isinstance(static, (staticmethod, classmethod))
    try:
        arguments = [None] * (2 if bound else 3)
        inspect.signature(getattr(owner, name)).bind(*arguments)
    except TypeError as error:
        return f'expected an error handler to take (request, error): {error}'
    return None


def _text(which: Which) -> str:
    return which.__name__ if isinstance(which, type) else str(int(which))
