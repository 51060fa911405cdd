"""Services and their instances as a registry knows them.

Source: the manual, section 5.2. A `Service` is a live view: the registry updates it and observers
are called for each change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

from lymph.core._loop.hooks import Hook
from lymph.core.addresses import join_address
from lymph.core.facts import check_facts
from lymph.core.versioning import Version, parse_version, serving
from lymph.exceptions import LookupFailure, NotConnected

if TYPE_CHECKING:
    from lymph.core.connections import Connection

__all__ = ['Change', 'EndpointInstance', 'Service', 'ServiceInstance']

Change = Literal['added', 'removed', 'updated']
Connector = Callable[[str], 'Connection']

_REMEMBERED: Final = 256  # versions whose instances stay chosen


@dataclass(frozen=True)
class ServiceInstance:
    """One version of one interface in one process, with facts about that process.

    `identity` is unique to the process; `endpoint` is where it answers calls (``tcp://host:port``);
    `started` is a Unix time in seconds. `lymph.core.facts` describes all fields. `connector` makes
    a connection to an endpoint; it is None unless a container has looked the instance up.
    """

    identity: str
    endpoint: str
    version: str | None = None
    hostname: str | None = None
    fqdn: str | None = None
    ip: str | None = None
    pid: int | None = None
    http_port: int | None = None
    http_scheme: str | None = None
    log_endpoint: str | None = None
    monitoring_endpoint: str | None = None
    backdoor_endpoint: str | None = None
    started: float | None = None
    connector: Connector | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> str:
        """The key of the instance within its service: ``identity`` or ``identity@version``."""
        return self.identity if self.version is None else f'{self.identity}@{self.version}'

    @property
    def http_url(self) -> str | None:
        """The URL at which it answers HTTP, without a path; None if it does not."""
        if not self.http_port or not self.ip:
            return None
        return f'{self.http_scheme or "http"}://{join_address(self.ip, self.http_port)}'

    def connect(self) -> Connection:
        """Return the connection to the instance, without waiting until it is up.

        Raises NotConnected if the transport cannot reach it, or if no container has looked it up.
        """
        if self.connector is None:
            text = f'{self.endpoint} was not looked up through a container'
            raise NotConnected(text, endpoint=self.endpoint)
        return self.connector(self.endpoint)

    def serialize(self) -> dict[str, Any]:
        """Return the facts that are not None, as JSON serializable data."""
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != 'connector'}
        return {name: value for name, value in facts.items() if value is not None}

    @classmethod
    def deserialize(
        cls, data: Mapping[str, Any], connector: Connector | None = None
    ) -> ServiceInstance:
        """Make an instance from the result of `serialize`; unknown keys are ignored.

        Raises ValueError for facts that break a rule of `lymph.core.facts`.
        """
        return cls(**check_facts(data), connector=connector)


class EndpointInstance(ServiceInstance):
    """The instance at an endpoint that is known from elsewhere than a registry.

    When `identity` is first read, `identify(endpoint)` asks the process for it; its errors are
    raised, its result is kept. Two such instances are equal if their endpoints are.
    """

    def __init__(self, endpoint: str, connector: Connector, identify: Callable[[str], str]) -> None:
        super().__init__('', endpoint, connector=connector)
        del self.__dict__['identity']  # otherwise Python would find it before the property
        self.__dict__['_identify'] = identify

    @cached_property
    def identity(self) -> str:
        """The identity of the process."""
        identify: Callable[[str], str] = self.__dict__['_identify']
        return identify(self.endpoint)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, EndpointInstance) and other.endpoint == self.endpoint

    def __hash__(self) -> int:
        return hash(self.endpoint)

    def __repr__(self) -> str:
        return f'<EndpointInstance {self.endpoint}>'


class Service:
    """All known instances of one service; the registry keeps it up to date."""

    def __init__(self, name: str, connector: Connector | None = None) -> None:
        self.name = name
        self.connector = connector
        self._instances: dict[str, ServiceInstance] = {}
        self._matching: dict[Version | None, tuple[ServiceInstance, ...]] = {}
        self._observers = Hook(f'observers of {name}')

    def __iter__(self) -> Iterator[ServiceInstance]:
        return iter(tuple(self._instances.values()))

    def __len__(self) -> int:
        return len(self._instances)

    def __bool__(self) -> bool:
        return True  # a service without instances is still a service

    def __repr__(self) -> str:
        return f'<Service {self.name} with {len(self)} instances>'

    def match(self, version: Version | None = None) -> tuple[ServiceInstance, ...]:
        """Return the instances that serve requests for `version` (see `Version.serves`).

        None stands for the newest major version that an instance has, and for all instances without
        a version.
        """
        found = self._matching.get(version)
        if found is None:
            known = [(_version(instance), instance) for instance in self._instances.values()]
            found = tuple(serving(known, version))
            if found:
                # Callers choose the version: one instance serves a million of older ones.
                if len(self._matching) >= _REMEMBERED:
                    self._matching.clear()
                self._matching[version] = found
        return found

    def lacks(self, version: Version | None) -> LookupFailure:
        """Return the error for a request for `version` when no instance serves it."""
        versions = ', '.join(sorted({instance.version or 'none' for instance in self}))
        return LookupFailure(
            f'no instance of {self.name} serves {version} (versions: {versions}); '
            'ask for one of these, or start it'
        )

    def connect(self) -> Connection:
        """Return a connection to the first instance, without waiting until it is up.

        Raises NotConnected if there are no instances, and as `ServiceInstance.connect` does.
        """
        for instance in self:
            return instance.connect()
        raise NotConnected(f'{self.name} has no instances')

    def observe(self, observer: Callable[[Change, ServiceInstance], object]) -> Callable[[], None]:
        """Call `observer(change, instance)` at each change; return a function that ends this."""
        return self._observers.install(observer)

    def update(self, instances: Iterable[ServiceInstance]) -> None:
        """Replace all known instances by `instances`; call the observers for each difference."""
        new = {instance.key: instance for instance in instances}
        for key in self._instances.keys() - new.keys():
            self.remove(key)
        for instance in new.values():
            self.add(instance)

    def add(self, instance: ServiceInstance) -> None:
        """Add an instance or replace the one with the same key; call the observers of a change."""
        old = self._instances.get(instance.key)
        if old == instance:
            return
        self._instances[instance.key] = instance
        self._matching.clear()
        self._observers('added' if old is None else 'updated', instance)

    def remove(self, key: str) -> None:
        """Remove the instance with this key and call the observers; unknown keys are ignored."""
        old = self._instances.pop(key, None)
        if old is not None:
            self._matching.clear()
            self._observers('removed', old)


def _version(instance: ServiceInstance) -> Version | None:
    try:
        return None if instance.version is None else parse_version(instance.version)
    except ValueError:
        return None
