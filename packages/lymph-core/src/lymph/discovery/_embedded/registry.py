"""The registry of one machine: processes meet in a directory, nobody has to be asked.

::

    <state>/registry/<namespace>/<service>/<key>~<random>.json    locked while its owner lives
    <state>/registry/.doorbells/                                  one for each process that watches

Whoever registers or leaves rings all bells. A death is noticed through the process (where the
platform tells it), when a call does not reach an instance (`suspect`), and by every `refresh`.
What somebody removes of all this comes back within seconds.
The state directory has to be on a local disk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from lymph.config import ConfigView, Location
from lymph.config.printable import printable, quoted
from lymph.core._system.blocking import in_thread
from lymph.core._system.doorbell import ring
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.state import state_directory
from lymph.core.monitoring.once_log import OnceLog
from lymph.core.options import refuse_unknown
from lymph.core.services import Service, ServiceInstance
from lymph.discovery._embedded.claims import Claim
from lymph.discovery._embedded.entries import encode, names_in_use
from lymph.discovery._embedded.upkeep import Upkeep
from lymph.discovery._embedded.watching import Watching
from lymph.discovery.base import RPC, BaseServiceRegistry, check_registration
from lymph.discovery.names import escape
from lymph.exceptions import LookupFailure, RegistrationFailure

__all__ = ['EmbeddedServiceRegistry']

logger = logging.getLogger(__name__)

_FORKED = 'this registry was made before a fork; make one in the child, as everything that uses it'


class EmbeddedServiceRegistry(BaseServiceRegistry):
    """Registers instances as locked files in the state directory.

    `path` is used in place of the state directory; `where` it is configured, for errors. Raises
    ConfigurationError when the directory cannot be made or written. In a forked child the copy
    refuses; what the parent registered is not touched by what becomes of the child.
    """

    beyond_host = False

    def __init__(
        self, path: str | None = None, *, where: Location | str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.directory = state_directory('registry', path=path, where=where)
        self._bells = state_directory('registry', '.doorbells', path=path, where=where)
        self._claims: dict[tuple[str, str, str], Claim] = {}
        self._log = OnceLog(logger, 'entries of the registry')
        self._watching = Watching(self._bells, self.spawn, self._log)
        self._upkeep = Upkeep(self._is_missing, self._restore, self.spawn)
        self._forked = False
        abandon_in_children(self)

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> EmbeddedServiceRegistry:
        """Make the registry; the one option is `path`, used in place of the state directory."""
        refuse_unknown(config, ('path',))
        return cls(config.get_line('path', None), where=config.locate('path'), **kwargs)

    @property
    def description(self) -> str:
        return f'the registry of this machine in {printable(str(self.directory))}'

    def discover(self, namespace: str = RPC) -> set[str]:
        folder = self.directory / escape(namespace)
        with self._readable():
            names, left_out = in_thread(names_in_use, folder)
        for path, reason in left_out.items():
            self._log.warn(path, f'ignored: {reason}')
        return names

    def register(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        if self._forked:
            raise RegistrationFailure(_FORKED)
        check_registration(name, instance)
        folder = self._folder(name, namespace)
        try:
            claim = Claim(folder, instance.key, encode(instance))
        except OSError as error:
            raise RegistrationFailure(
                f'cannot register {quoted(name)} in {printable(str(folder))}: {error.strerror}; '
                'make room, or set LYMPH_STATE_DIR to a directory on a local disk that this user '
                'can write to'
            ) from error
        key = (namespace, name, instance.key)
        replaced = self._claims.pop(key, None)
        self._claims[key] = claim
        if replaced is not None:
            replaced.release()
        self._upkeep.start()
        ring(self._bells)

    def unregister(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        claim = self._claims.pop((namespace, name, instance.key), None)
        if claim is not None:
            claim.release()
            ring(self._bells)

    def watch(self, service: Service, namespace: str) -> None:
        with self._readable():
            self._watching.add(service, self._folder(service.name, namespace))
        self._upkeep.start()

    def unwatch(self, service: Service, namespace: str) -> None:
        self._watching.remove(service)

    def refresh(self, service: Service, namespace: str) -> None:
        with self._readable():
            self._watching.look(service)

    def suspect(self, instance: ServiceInstance) -> None:
        self._watching.suspect(instance.key)

    def on_stop(self) -> None:
        """Take out everything that was registered here and stop watching."""
        self._upkeep.close()
        claims, self._claims = self._claims, {}
        for claim in claims.values():
            claim.release()
        if claims:
            ring(self._bells)
        super().on_stop()
        self._watching.close()
        self._log.close()

    def abandon(self) -> None:
        """Refuse from now on, in a forked child; locks and files stay the parent's."""
        self._forked = True
        self._upkeep.abandon()

    def _is_missing(self) -> bool:
        return self._watching.deaf or any(claim.lost for claim in self._claims.values())

    def _restore(self) -> None:
        """Put back what was removed; what fails is tried again at the next look."""
        try:
            for claim in tuple(self._claims.values()):
                if claim.lost:
                    removed = str(claim.path)
                    claim.restore()
                    self._log.warn(removed, f'was removed; registered again as {claim.path.name}')
            self._watching.restore()
        except OSError as error:
            self._log.warn(str(self.directory), f'cannot be restored: {error.strerror}')
        else:
            self._log.forget(str(self.directory))
        ring(self._bells)

    def _folder(self, name: str, namespace: str) -> Path:
        return self.directory / escape(namespace) / escape(name)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        if self._forked:
            raise LookupFailure(_FORKED)
        try:
            yield
        except OSError as error:
            raise LookupFailure(
                f'cannot read {printable(str(self.directory))}: {error.strerror}; '
                'check its owner, its disk and the limit of open files'
            ) from error
