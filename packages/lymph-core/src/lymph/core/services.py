"""Services and their instances as a registry knows them.

Source: the manual, section 5.2. A `Service` is a live view: a registry changes it, observers hear
of each change.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

from lymph.core._loop.hooks import Hook
from lymph.core.facts import check_facts
from lymph.core.versioning import Version, parse_version, serving
from lymph.exceptions import LookupFailure, NotConnected

if TYPE_CHECKING:
    from lymph.core.connections import Connection

__all__ = ['Change', 'EndpointInstance', 'Service', 'ServiceInstance']

Change = Literal['added', 'removed', 'updated']
Connector = Callable[[str], 'Connection']


@dataclass(frozen=True)
class ServiceInstance:
    """One version of one interface in one process, with what is known about that process.

    `identity` names the process, `endpoint` is where it answers calls (``tcp://host:port``),
    `started` is a Unix time in seconds.
    """

    identity: str
    endpoint: str
    version: str | None = None
    hostname: str | None = None
    fqdn: str | None = None
    ip: str | None = None
    pid: int | None = None
    http_port: int | None = None
    log_endpoint: str | None = None
    monitoring_endpoint: str | None = None
    backdoor_endpoint: str | None = None
    started: float | None = None
    connector: Connector | None = field(default=None, compare=False, repr=False)

    @property
    def key(self) -> str:
        """What tells it from others of its service: the identity, or identity@version."""
        return self.identity if self.version is None else f'{self.identity}@{self.version}'

    def connect(self) -> Connection:
        """Return the connection to it; raises NotConnected if it came from no container."""
        if self.connector is None:
            text = f'{self.endpoint} was not looked up through a container'
            raise NotConnected(text, endpoint=self.endpoint)
        return self.connector(self.endpoint)

    def serialize(self) -> dict[str, Any]:
        """Return the known facts as JSON serializable data."""
        facts = {f.name: getattr(self, f.name) for f in fields(self) if f.name != 'connector'}
        return {name: value for name, value in facts.items() if value is not None}

    @classmethod
    def deserialize(
        cls, data: Mapping[str, Any], connector: Connector | None = None
    ) -> ServiceInstance:
        """Make an instance from what `serialize` gave; unknown keys are ignored.

        Raises ValueError for facts that are not what `lymph.core.facts` says they have to be.
        """
        return cls(**check_facts(data), connector=connector)


class EndpointInstance(ServiceInstance):
    """The instance at an endpoint that no registry gave: what answers there, whoever it is.

    Its `identity` is asked for when it is first read, with `identify(endpoint)`, whose error is
    raised; the answer is kept. Two of them are equal when their endpoints are.
    """

    def __init__(self, endpoint: str, connector: Connector, identify: Callable[[str], str]) -> None:
        super().__init__('', endpoint, connector=connector)
        del self.__dict__['identity']  # what is in there would be found before the property
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
    """All known instances of one service; a registry keeps it true while it is watched."""

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
        """Return the instances that serve requests for `version`.

        None stands for the newest major version that an instance has; instances without a version
        serve requests without one.
        """
        found = self._matching.get(version)
        if found is None:
            known = [(_version(instance), instance) for instance in self._instances.values()]
            found = tuple(serving(known, version))
            if found:  # only versions that exist are remembered, so callers cannot fill the table
                self._matching[version] = found
        return found

    def lacks(self, version: Version | None) -> LookupFailure:
        """Return the error of a request for `version` that no instance serves."""
        versions = ', '.join(sorted({instance.version or 'none' for instance in self}))
        return LookupFailure(
            f'no instance of {self.name} serves {version} (versions: {versions}); '
            'ask for one of these, or start it'
        )

    def connect(self) -> Connection:
        """Return a connection to one of the instances.

        Raises NotConnected when there are none.
        """
        for instance in self:
            return instance.connect()
        raise NotConnected(f'{self.name} has no instances')

    def observe(self, observer: Callable[[Change, ServiceInstance], Any]) -> Callable[[], None]:
        """Call `observer(change, instance)` at each change; the returned function ends that."""
        return self._observers.install(observer)

    def update(self, instances: Iterable[ServiceInstance]) -> None:
        """Make `instances` all that is known; observers hear of each change."""
        new = {instance.key: instance for instance in instances}
        for key in self._instances.keys() - new.keys():
            self.remove(key)
        for instance in new.values():
            self.add(instance)

    def add(self, instance: ServiceInstance) -> None:
        """Add an instance, or replace the one with the same key."""
        old = self._instances.get(instance.key)
        if old == instance:
            return
        self._instances[instance.key] = instance
        self._matching.clear()
        self._observers('added' if old is None else 'updated', instance)

    def remove(self, key: str) -> None:
        """Remove the instance with this key; one that is not there is ignored."""
        old = self._instances.pop(key, None)
        if old is not None:
            self._matching.clear()
            self._observers('removed', old)


def _version(instance: ServiceInstance) -> Version | None:
    try:
        return None if instance.version is None else parse_version(instance.version)
    except ValueError:
        return None
