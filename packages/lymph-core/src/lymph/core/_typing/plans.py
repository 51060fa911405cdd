"""Plans: how the arguments of a function, or its event, are checked and converted.

A plan is made once for each declaration, when its interface is installed: then every name that an
annotation may use is defined. There is none if nothing is annotated, or only with `Any` and
`object`. msgspec is imported with the first plan.
"""

from __future__ import annotations

import inspect
import types
import typing
from collections.abc import Callable, Mapping
from functools import wraps
from types import MappingProxyType
from typing import Any, Protocol

from lymph.config.lazy import lazy
from lymph.core._typing.hints import BadAnnotation, Hints, hint_of, hints_of, is_open, wording
from lymph.core._typing.misfits import Misfit
from lymph.core.events import Event
from lymph.exceptions import ConfigurationError, EventRejected

__all__ = [
    'CallPlan',
    'CallTypes',
    'EventPlan',
    'EventTypes',
    'event_plan',
    'plan_of',
    'result_of',
]

Convert = Callable[[Any], Any]


class _Conversions(Protocol):
    def __call__(self, hint: Any) -> Convert: ...


_check: Callable[[str, Any], None] = lazy('lymph.core._typing.admitting:check_hint')
_is_mapping: Callable[[Any], bool] = lazy('lymph.core._typing.admitting:is_mapping')
_arguments: Callable[..., Callable[[dict[str, Any]], dict[str, Any]]] = lazy(
    'lymph.core._typing.converting:Arguments'
)
_value: _Conversions = lazy('lymph.core._typing.converting:Value')


class CallPlan:
    """How the arguments of a function are checked and converted.

    `hints` are its types. `convert(arguments)` returns the converted arguments and raises `Misfit`;
    the names of the arguments have to fit the signature.
    """

    def __init__(self, hints: Hints) -> None:
        self.hints = hints
        self.convert = _arguments(hints.parameters, hints.others)


class EventPlan:
    """How the event for a function is checked and converted.

    `hint` is the type of the payload. `convert(event)` returns what the function takes: the event
    with a converted `body`, or the payload itself. Raises `Misfit`.
    """

    def __init__(self, hint: Any, whole: bool) -> None:
        self.hint = hint
        self._value = _value(hint)
        self._whole = whole

    def convert(self, event: Event) -> Any:
        """Return the argument for the function."""
        payload = self._value(event.body)
        return event.with_body(payload) if self._whole else payload

    def around(self, handler: Callable[[Any], Any]) -> Callable[[Event], Any]:
        """Return a handler of events that calls `handler` with what it takes.

        Raises EventRejected for an event that does not fit: no attempt can handle it.
        """

        @wraps(handler, assigned=('__module__', '__name__', '__qualname__'), updated=())
        def handle(event: Event) -> Any:
            try:
                argument = self.convert(event)
            except Misfit as misfit:
                # the payload is to blame, unless code of its class failed
                raise EventRejected(str(misfit)) from misfit.raised
            return handler(argument)

        return handle


class CallTypes:
    """The annotations of a declared function that is called with arguments.

    `skip` is the number of its first parameters that callers do not fill. With `check` false there
    is no plan.
    """

    def __init__(self, func: Callable[..., Any], skip: int, check: bool) -> None:
        self._func = func
        self._skip = skip
        self._check = check
        self._made = False
        self._plan: CallPlan | None = None

    def plan(self, cls: type, name: str) -> CallPlan | None:
        """Return the plan of the function, which is the attribute `name` of the class.

        It is made once. Raises ConfigurationError as `plan_of` does.
        """
        if self._check and not self._made:
            owner = _owner(cls, name)
            what = f'{owner.__qualname__}.{name}'
            self._plan = plan_of(what, self._func, self._skip, owner)
            self._made = True
        return self._plan

    def hints(self, cls: type, name: str) -> Hints:
        """Return the types of the function; raises BadAnnotation."""
        if self._plan is not None:
            return self._plan.hints
        return hints_of(self._func, self._skip, _owner(cls, name))


class EventTypes:
    """The annotation of a declared function that is called with an event."""

    def __init__(self, func: Callable[..., Any], check: bool) -> None:
        self._func = func
        self._check = check
        self._made = False
        self._plan: EventPlan | None = None

    def plan(self, cls: type, name: str) -> EventPlan | None:
        """Return the plan of the function, as `CallTypes.plan` does."""
        if self._check and not self._made:
            owner = _owner(cls, name)
            self._plan = event_plan(f'{owner.__qualname__}.{name}', self._func, 1, owner)
            self._made = True
        return self._plan


def _owner(cls: type, name: str) -> type:
    """Return the class that defines an attribute of `cls`."""
    return next((base for base in cls.__mro__ if name in vars(base)), cls)


def plan_of(
    what: str, func: Callable[..., Any], skip: int = 1, owner: type | None = None
) -> CallPlan | None:
    """Return the plan for a function without its first `skip` parameters, None if there is none.

    `owner` is the class that declares it. Raises ConfigurationError, which begins with `what`, for
    an annotation that cannot be resolved or checked.
    """
    try:
        hints = hints_of(func, skip, owner)
        checked = {name: hint for name, hint in hints.parameters.items() if not is_open(hint)}
        if hints.others is not None and not is_open(hints.others):
            checked['**'] = hints.others
        for name, hint in checked.items():
            _check(name, hint)
    except BadAnnotation as error:
        raise ConfigurationError(str(error), what) from error
    return CallPlan(hints) if checked else None


def event_plan(
    what: str, func: Callable[..., Any], skip: int = 1, owner: type | None = None
) -> EventPlan | None:
    """Return the plan for a function that takes an event after its first `skip` parameters.

    Raises ConfigurationError as `plan_of` does, and for a type of payload that is not a mapping.
    """
    parameter = _positional(func, skip)
    if parameter is None:
        return None
    try:
        hint = _required(hint_of(func, parameter, owner))
        whole = typing.get_origin(hint) is Event
        if whole:
            (hint,) = typing.get_args(hint)
        if is_open(hint) or hint is Event:
            return None
        _check(parameter.name, hint)
        if not _is_mapping(hint):
            raise BadAnnotation(
                f'{parameter.name}: expected the annotation to be lymph.Event or a type of '
                f'mappings, as all payloads are, found {wording(hint)}; write a dataclass, '
                'TypedDict or dict, or declare the handler with check=False'
            )
    except BadAnnotation as error:
        raise ConfigurationError(str(error), what) from error
    return EventPlan(hint, whole)


def result_of(
    what: str,
    func: Callable[..., Any],
    owner: type | None = None,
    variables: Mapping[Any, Any] = MappingProxyType({}),
) -> Convert | None:
    """Return the function that converts a received result of `func` to its annotated type.

    None if the annotation accepts everything. `variables` maps type variables to types. Raises
    ConfigurationError as `plan_of` does.
    """
    annotation = inspect.signature(func).return_annotation
    try:
        result = inspect.Parameter('result', inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
        hint = hint_of(func, result, owner)
        within = getattr(hint, '__parameters__', ())
        if variables and within:
            hint = hint[tuple(variables.get(each, Any) for each in within)]
        hint = variables.get(hint, hint) if isinstance(hint, typing.TypeVar) else hint
        if is_open(hint):
            return None
        _check(result.name, hint)
    except BadAnnotation as error:
        raise ConfigurationError(str(error), what) from error
    return _value(hint)


def _required(hint: Any) -> Any:
    """Return the type of an event without ``| None``: an event is always passed."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        others = [each for each in typing.get_args(hint) if each is not type(None)]
        if len(others) == 1 and Event in (others[0], typing.get_origin(others[0])):
            return others[0]
    return hint


def _positional(func: Callable[..., Any], skip: int) -> inspect.Parameter | None:
    """Return the positional parameter after `skip` others, None if there is no such parameter."""
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    try:
        parameters = list(inspect.signature(func).parameters.values())[: skip + 1]
    except (ValueError, TypeError):  # a builtin
        return None
    named = len(parameters) > skip and all(each.kind in positional for each in parameters)
    return parameters[skip] if named else None
