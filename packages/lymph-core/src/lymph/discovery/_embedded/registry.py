"""The registry of one machine: processes meet in a directory, without a server.

::

    <state>/registry/<namespace>/<service>/<key>~<random>.json    locked while its owner lives
    <state>/registry/.doorbells/                                  sockets of those who watch

Whoever registers or leaves wakes all who watch. A death is noticed through the process (where the
platform reports it), when a call does not reach an instance (`suspect`), and by every `refresh`.
Files that somebody removes are put back within seconds. The state directory has to be on a local
disk.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lymph.config import ConfigView, Location
from lymph.config.printable import printable, quoted
from lymph.core._system.blocking import in_thread
from lymph.core._system.forks import abandon_in_children
from lymph.core._system.refusals import Availability
from lymph.core._system.state import state_directory
from lymph.core._system.wakeups import wake
from lymph.core.monitoring.connection_states import ConnectionState, ConnectionTracker
from lymph.core.monitoring.once_log import OnceLog
from lymph.core.options import refuse_unknown
from lymph.core.services import Service, ServiceInstance
from lymph.discovery._embedded.entries import names_in_use
from lymph.discovery._embedded.instance_files import InstanceFile, encode
from lymph.discovery._embedded.repairs import RepairTimer
from lymph.discovery._embedded.watcher import DirectoryWatcher
from lymph.discovery.base import RPC, BaseServiceRegistry, check_registration
from lymph.discovery.names import escape
from lymph.exceptions import LookupFailure, RegistrationFailure

if TYPE_CHECKING:
    from typing_extensions import Unpack

    from lymph.core.components import ComponentParts

__all__ = ['EmbeddedServiceRegistry']

logger = logging.getLogger(__name__)


class EmbeddedServiceRegistry(BaseServiceRegistry):
    """Registers instances as locked files in the state directory.

    `path` is used in place of the state directory; `where` is the place in the configuration that
    names it, for errors. Raises ConfigurationError when the directory cannot be made or written.

    In a forked child the copy refuses to be used, and changes nothing that the parent registered.
    """

    beyond_host = False

    def __init__(
        self,
        path: str | None = None,
        *,
        where: Location | str | None = None,
        **kwargs: Unpack[ComponentParts],
    ) -> None:
        super().__init__(**kwargs)
        self.directory = state_directory('registry', path=path, where=where)
        self._sockets = state_directory('registry', '.doorbells', path=path, where=where)
        self._files: dict[tuple[str, str, str], InstanceFile] = {}
        self._log = OnceLog(logger, 'entries of the registry')
        self._watcher = DirectoryWatcher(self._sockets, self.spawn, self._log)
        self._repairs = RepairTimer(self._is_missing, self._repair, self.spawn)
        self._availability = Availability('registry', running=True)
        self._tracker = ConnectionTracker()
        self._tracker.up(printable(str(self.directory)))
        abandon_in_children(self)

    @classmethod
    def from_config(cls, config: ConfigView, **kwargs: Any) -> EmbeddedServiceRegistry:
        """Make the registry; the only option is `path`, used in place of the state directory.

        Raises ConfigurationError for other options, and as the constructor does.
        """
        refuse_unknown(config, ('path',))
        return cls(config.get_line('path', None), where=config.locate('path'), **kwargs)

    @property
    def description(self) -> str:
        """The directory of the registry, for an operator."""
        return f'the registry of this machine in {printable(str(self.directory))}'

    def connection_state(self) -> ConnectionState:
        """Return whether the directory has what this process registered.

        It does not while removed files cannot be restored. Never waits; may be called by another
        native thread.
        """
        return self._tracker.state

    def discover(self, namespace: str = RPC) -> set[str]:
        """Return the names of all services that have a live instance.

        Reads the directory in a thread, and removes the files of dead owners on the way. Files that
        are not the registry's are left out with one warning each. Raises LookupFailure if the
        directory cannot be read, or the registry was stopped or forked.
        """
        folder = self.directory / escape(namespace)
        with self._reading():
            names, left_out = in_thread(names_in_use, folder)
        for path, reason in left_out.items():
            self._log.warn(path, f'ignored: {reason}')
        return names

    def register(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Make a lock file for the instance, replacing an earlier one, and wake the watchers.

        Raises RegistrationFailure if the name or the facts are invalid, the file cannot be made, or
        the registry was stopped or forked.
        """
        self._availability.check(RegistrationFailure)
        check_registration(name, instance)
        folder = self._folder(name, namespace)
        try:
            file = InstanceFile(folder, instance.key, encode(instance))
        except OSError as error:
            raise RegistrationFailure(
                f'cannot register {quoted(name)} in {printable(str(folder))}: {error.strerror}; '
                'make room, or set LYMPH_STATE_DIR to a directory on a local disk that this user '
                'can write to'
            ) from error
        key = (namespace, name, instance.key)
        replaced = self._files.pop(key, None)
        self._files[key] = file
        if replaced is not None:
            replaced.release()
        self._repairs.start()
        wake(self._sockets)

    def unregister(self, name: str, instance: ServiceInstance, namespace: str = RPC) -> None:
        """Remove the file of the instance and wake the watchers; unknown ones are ignored."""
        file = self._files.pop((namespace, name, instance.key), None)
        if file is not None:
            file.release()
            wake(self._sockets)

    def watch(self, service: Service, namespace: str) -> None:
        """Fill `service` and keep it up to date.

        Raises LookupFailure if the directory cannot be read, or the registry was stopped or forked.
        """
        with self._reading():
            self._watcher.add(service, self._folder(service.name, namespace))
        self._repairs.start()

    def unwatch(self, service: Service, namespace: str) -> None:
        """Stop changing `service`; unknown services are ignored."""
        self._watcher.remove(service)

    def refresh(self, service: Service, namespace: str) -> None:
        """Read the directory of `service` now and check all locks.

        Raises LookupFailure if the directory cannot be read, or the registry was stopped or forked.
        """
        with self._reading():
            self._watcher.look(service)

    def suspect(self, instance: ServiceInstance) -> None:
        """Check soon whether the owner of the instance is alive. Never waits."""
        self._watcher.suspect(instance.key)

    def on_stop(self) -> None:
        """Remove everything that was registered here and stop watching."""
        self._repairs.close()
        files, self._files = self._files, {}
        for file in files.values():
            file.release()
        if files:
            wake(self._sockets)
        super().on_stop()
        self._watcher.close()
        self._log.close()

    def abandon(self) -> None:
        """Refuse to be used from now on, in a forked child; locks and files stay the parent's."""
        self._availability.abandon()
        self._tracker.down(self._availability.refusal or '')
        self._repairs.abandon()

    def _is_missing(self) -> bool:
        return self._watcher.deaf or not all(file.in_place for file in self._files.values())

    def _repair(self) -> None:
        """Put back what was removed; what fails is tried again at the next check."""
        try:
            for file in tuple(self._files.values()):
                if not file.in_place:
                    removed = str(file.path)
                    file.restore()
                    self._log.warn(removed, f'was removed; registered again as {file.path.name}')
            self._watcher.restore()
        except OSError as error:
            reason = f'cannot be restored: {error.strerror}'
            self._log.warn(str(self.directory), reason)
            self._tracker.down(f'{printable(str(self.directory))} {reason}')
        else:
            self._log.forget(str(self.directory))
            self._tracker.up(printable(str(self.directory)))
        wake(self._sockets)

    def _folder(self, name: str, namespace: str) -> Path:
        return self.directory / escape(namespace) / escape(name)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        self._availability.check(LookupFailure)
        try:
            yield
        except OSError as error:
            raise LookupFailure(
                f'cannot read {printable(str(self.directory))}: {error.strerror}; '
                'check its owner, its disk and the limit of open files'
            ) from error
