"""Registering the interfaces of a container in the registry, and taking them out."""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterable
from socket import gethostname

from lymph.config.printable import quoted
from lymph.core._system.resolving import resolver
from lymph.core.failures import Killed, log_failure
from lymph.core.interfaces import Interface
from lymph.core.services import ServiceInstance
from lymph.discovery.base import RPC, BaseServiceRegistry
from lymph.exceptions import RegistrationFailure

__all__ = ['Registrations', 'host_facts']

logger = logging.getLogger(__name__)

_FULL_NAME = 1.0  # seconds to look up the full name of the host

Registered = tuple[str, ServiceInstance, str]


def host_facts(
    identity: str,
    endpoint: str,
    ip: str,
    log_endpoint: str | None = None,
    monitoring_endpoint: str | None = None,
    backdoor_endpoint: str | None = None,
) -> ServiceInstance:
    """Return the facts that all instances of this process have in common.

    Waits, without blocking the hub, up to a second for the full name of the host, since looking it
    up may need a name server.
    """
    return ServiceInstance(
        identity=identity,
        endpoint=endpoint,
        hostname=gethostname(),
        fqdn=resolver().full_name(_FULL_NAME),
        ip=ip,
        pid=os.getpid(),
        log_endpoint=log_endpoint,
        monitoring_endpoint=monitoring_endpoint,
        backdoor_endpoint=backdoor_endpoint,
        started=time.time(),
    )


class Registrations:
    """The entries of one container in the registry.

    Interfaces of a `worker` are registered as ``<name>.worker``, and only in the namespace of
    calls.
    """

    def __init__(self, registry: BaseServiceRegistry, worker: bool = False) -> None:
        self._registry = registry
        self._worker = worker
        self._entries: list[Registered] = []

    def register(self, interfaces: Iterable[Interface], facts: ServiceInstance) -> None:
        """Register each interface in each of its namespaces.

        Raises RegistrationFailure when the registry fails, and for invalid facts; what was
        registered before the error is taken out again.
        """
        try:
            for interface in interfaces:
                name = self.name_of(interface)
                instance = _instance(name, interface, facts)
                for namespace in (RPC,) if self._worker else interface.namespaces:
                    self._registry.register(name, instance, namespace)
                    self._entries.append((name, instance, namespace))
        except BaseException:
            self.withdraw()
            raise

    @property
    def entries(self) -> list[tuple[str, ServiceInstance]]:
        """The registered names and their instances, each once for all its namespaces."""
        return list(dict.fromkeys((name, instance) for name, instance, _ in self._entries))

    def name_of(self, interface: Interface) -> str:
        """Return the name under which an interface is registered."""
        return f'{interface.name}.worker' if self._worker else interface.name

    def withdraw(self) -> None:
        """Take all entries out of the registry; failures are logged."""
        while self._entries:
            name, instance, namespace = self._entries.pop()
            try:
                self._registry.unregister(name, instance, namespace)
            except Killed:
                raise
            except BaseException as error:  # noqa: BLE001 - the edge of a registry
                log_failure(logger, error, '%s could not be taken out of the registry', name)


def _instance(name: str, interface: Interface, facts: ServiceInstance) -> ServiceInstance:
    known = {**facts.serialize(), **interface.instance_facts(), 'version': interface.version}
    try:
        return ServiceInstance.deserialize(known)
    except ValueError as error:
        raise RegistrationFailure(f'cannot register {quoted(name)}: {error}') from error
