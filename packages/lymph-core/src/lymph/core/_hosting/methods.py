"""Finding the method for a request among the interfaces of a container, by name and version."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, cycle
from typing import Any

from lymph.config.printable import QUOTED, printable, quoted
from lymph.config.suggestions import close_name
from lymph.core._declaring.binding import bound
from lymph.core._declaring.declarations import RpcDeclaration
from lymph.core._monitoring.recent_work import RecentWork
from lymph.core._typing.plans import CallPlan
from lymph.core._work.chains import Chain, Chains
from lymph.core.interfaces import Interface
from lymph.core.limits import SUBJECT
from lymph.core.monitoring.descriptions import describe
from lymph.core.monitoring.histograms import Histogram, summed
from lymph.core.monitoring.metrics import Sample
from lymph.core.versioning import Version, parse_version, serving
from lymph.exceptions import ConfigurationError, Refused

__all__ = ['HostedMethod', 'MethodTable']

describe('rpc.running', 'gauge', 'Calls that are being answered.', tags=('method',))
describe(
    'rpc.handled',
    'counter',
    'Calls that were answered with a result, or with an error that the method declares.',
    tags=('method',),
)
describe(
    'rpc.failed',
    'counter',
    'Calls whose method raised an error that it does not declare.',
    tags=('method',),
)
describe(
    'rpc.refused',
    'counter',
    'Calls that were refused before their method ran, by the reason of the NACK.',
    tags=('method', 'reason'),
)
describe(
    'rpc.cancelled',
    'counter',
    'Calls that were cancelled because nobody waited for them.',
    tags=('method',),
)
describe(
    'rpc.seconds',
    'counter',
    'Time spent on all calls together.',
    unit='seconds',
    tags=('method',),
)
describe(
    'rpc.duration',
    'histogram',
    'How long calls took that were not refused before they began, however they ended.',
    unit='seconds',
    tags=('method',),
)


@dataclass(eq=False)
class HostedMethod:
    """A method of an installed interface, with the counts of its calls."""

    subject: str
    interface: Interface
    declaration: RpcDeclaration
    func: Callable[..., Any]
    chain: Chain = field(default_factory=Chain)  # what surrounds its calls
    plan: CallPlan | None = None  # how its arguments are checked; None: they are not
    vital: bool = False  # answered even when the container is full, starting or stopping
    recent: RecentWork | None = None  # keeps what became of calls; None: nothing does
    cancellable: bool = False  # whether a call that nobody waits for is cancelled
    running: int = 0
    handled: int = 0
    failed: int = 0
    cancelled: int = 0
    refused: dict[str, int] = field(default_factory=dict)  # reason -> calls
    durations: Histogram = field(init=False)

    def __post_init__(self) -> None:
        self.durations = Histogram('rpc.duration', {'method': self.subject})

    def __iter__(self) -> Iterator[Sample]:
        """Yield the counts as metrics."""
        tags = self.durations.tags
        yield 'rpc.running', self.running, tags
        yield 'rpc.handled', self.handled, tags
        yield 'rpc.failed', self.failed, tags
        if self.cancellable:
            yield 'rpc.cancelled', self.cancelled, tags
        yield 'rpc.seconds', self.durations.sum, tags
        for reason, count in list(self.refused.items()):
            yield 'rpc.refused', count, {**tags, 'reason': reason}
        if self.durations.sum or not self.vital:  # most built-in methods are never called
            yield from self.durations


class MethodTable:
    """Finds methods by subject and version.

    If several installed versions serve a request, they take turns, as if each of them ran in a
    process of its own.
    """

    def __init__(self, chains: Chains, recent: RecentWork | None = None) -> None:
        self._chains = chains
        self._recent = recent if recent is not None and recent.keep else None
        self.interfaces: dict[tuple[str, Version | None], Interface] = {}
        self._methods: dict[tuple[str, Version | None, str], HostedMethod] = {}
        # Results of earlier searches, by subject and wanted version: the one method that serves the
        # request, or a cycle of several. Requests that mean the same methods share one cycle.
        self._found: dict[tuple[bytes, str | None], HostedMethod] = {}
        self._taking_turns: dict[tuple[bytes, str | None], Iterator[HostedMethod]] = {}
        self._turns: dict[tuple[HostedMethod, ...], Iterator[HostedMethod]] = {}

    def add(self, interface: Interface, vital: bool = False, cancel: bool = False) -> None:
        """Install an interface; a `vital` one is answered in every state of the container.

        `cancel` says whether calls that nobody waits for are cancelled, for methods that do not say
        it themselves. Raises ConfigurationError for a second interface of the same name and
        version.
        """
        version = None if interface.version is None else parse_version(interface.version)
        key = interface.name, version
        if key in self.interfaces:
            named = interface.name if version is None else f'{interface.name}@{version}'
            raise ConfigurationError(f'the interface {named} is installed twice')
        self.interfaces[key] = interface
        for name, declaration in interface.methods.items():
            cancellable = cancel if declaration.cancel is None else declaration.cancel
            self._methods[(interface.name, version, name)] = HostedMethod(
                f'{interface.name}.{name}',
                interface,
                declaration,
                bound(interface, name),
                self._chains.of('rpc', interface, vital),
                declaration.types.plan(type(interface), name),
                vital,
                None if vital else self._recent,  # operators ask often, and look for other calls
                cancellable,
            )
        for table in (self._found, self._turns, self._taking_turns):
            table.clear()

    def __iter__(self) -> Iterator[HostedMethod]:
        return iter(tuple(self._methods.values()))

    def samples(self) -> Iterator[Sample]:
        """Yield the counts of all methods as metrics.

        Versions of an interface that are installed side by side share the series of their methods.
        """
        by_subject: dict[str, list[HostedMethod]] = {}
        for method in self:
            by_subject.setdefault(method.subject, []).append(method)
        for methods in by_subject.values():
            yield from methods[0] if len(methods) == 1 else summed(chain.from_iterable(methods))

    def find(self, subject: bytes, version: str | None) -> HostedMethod:
        """Return a method for `subject` from an interface that serves `version`.

        None stands for the newest major version installed here. Raises Refused with the reason
        unknown_interface, unknown_version, unknown_method or, for a subject that is too long,
        malformed.
        """
        key = subject, version
        method = self._found.get(key)
        if method is not None:
            return method
        turns = self._taking_turns.get(key)
        if turns is None:
            methods = self._search(subject, version)
            turns = self._turns.setdefault(methods, cycle(methods))
            # only existing versions are stored, so that callers cannot fill the tables
            if version is None or any(version == each.interface.version for each in methods):
                if len(methods) == 1:
                    self._found[key] = methods[0]
                else:
                    self._taking_turns[key] = turns
        return next(turns)

    def _search(self, subject: bytes, wanted: str | None) -> tuple[HostedMethod, ...]:
        if len(subject) > SUBJECT:
            raise Refused(
                f'expected a subject of at most {SUBJECT} bytes, found {len(subject)}', 'malformed'
            )
        text = subject.decode('utf-8', 'replace')
        name, _, method = text.rpartition('.')
        versions = [version for known, version in self.interfaces if known == name]
        if not versions:
            names = sorted({known for known, _ in self.interfaces})
            raise Refused(
                f'no interface {quoted(name)} here (installed: {", ".join(names)})',
                'unknown_interface',
            )
        fitting = self._fitting(name, versions, wanted)
        found = [self._methods.get((name, version, method)) for version in fitting]
        methods = tuple(each for each in found if each is not None)
        if not methods:
            newest = max(fitting, key=lambda version: version or Version(0))
            raise Refused(_no_method(name, method, self._names(name, newest)), 'unknown_method')
        return methods

    @staticmethod
    def _fitting(
        name: str, versions: list[Version | None], wanted: str | None
    ) -> list[Version | None]:
        try:
            version = None if wanted is None else parse_version(wanted)
        except ValueError as error:
            raise Refused(str(error), 'unknown_version') from error
        fitting = serving(((each, each) for each in versions), version)
        if not fitting:
            known = ', '.join(str(v or 'unversioned') for v in versions)
            raise Refused(
                f'{name} does not serve version {wanted} (installed: {known})', 'unknown_version'
            )
        return fitting

    def _names(self, interface: str, version: Version | None) -> list[str]:
        return sorted(n for i, v, n in self._methods if (i, v) == (interface, version))


def _no_method(interface: str, method: str, known: list[str]) -> str:
    close = close_name(method, known)
    hint = f'; did you mean {interface}.{close}?' if close else ''
    wrong = printable(method, QUOTED)
    return f'no method {interface}.{wrong} (it has: {", ".join(known) or "none"}){hint}'
