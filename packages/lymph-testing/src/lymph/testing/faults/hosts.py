"""Several hosts on one machine: network namespaces on one switch, each with its own addresses.

```
Network   a switch (a bridge in a namespace of its own)
Host      a namespace with `eth0`, plugged into the switch: 10.77.0.N and fd77::N
```

==============  ===================================================================================
`cut()`         the cable is pulled: nothing arrives and nobody is told; processes go on
`restore()`     the cable is back
`vanish()`      the host loses its power: the cable is pulled, then all its processes are killed
==============  ===================================================================================

Needs Linux, iproute2 and util-linux, and either root or user namespaces; `Network` raises
`NoNamespaces`, which says what is missing. A namespace is held by a process that ends with the one
which made it, however that ends; so nothing is left behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lymph.testing.servers.processes import GuardedProcess
from lymph.testing.waiting import eventually

if TYPE_CHECKING:
    from types import TracebackType

    from typing_extensions import Self

__all__ = ['Host', 'Network', 'NoNamespaces']

_TOOLS = {'ip': 'iproute2', 'unshare': 'util-linux', 'nsenter': 'util-linux'}
_PATIENCE = 10.0  # seconds for a command of `ip`


class NoNamespaces(RuntimeError):
    """Hosts cannot be made here; the text says what is missing."""


class _Namespace:
    """A network namespace, held by a process that waits for the end of a pipe."""

    def __init__(self, popen: Any, outer: _Namespace | None = None) -> None:
        self._popen = popen
        # Who is not root needs to be so in a user namespace, which all hosts share.
        make = ['unshare', '--net']
        if outer is None and os.geteuid() != 0:
            make += ['--user', '--map-root-user']
        self._holder = popen(
            [*(outer.command([]) if outer else []), *make, 'cat'],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._user = make[-1] == '--map-root-user' or (outer is not None and outer.is_user)
        eventually(self._made, _PATIENCE, 'a network namespace')

    @property
    def pid(self) -> int:
        """The process that holds it."""
        return int(self._holder.pid)

    @property
    def is_user(self) -> bool:
        """Whether it belongs to a user namespace of its own."""
        return self._user

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command that runs `command` in it."""
        user = ['--user', '--preserve-credentials'] if self._user else []
        return ['nsenter', '--target', str(self.pid), '--net', *user, '--', *command]

    def run(self, *command: str) -> str:
        """Run a command in it and return what it prints; raises RuntimeError when it fails."""
        process = self._popen(
            self.command(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = process.communicate(timeout=_PATIENCE)
        text = str(output.decode(errors='replace'))
        if process.returncode:
            raise RuntimeError(f'{" ".join(command)} failed: {text.strip()}')
        return text

    def end(self) -> None:
        """Let go of it; it stays for as long as processes run in it."""
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stderr.close()

    def _made(self) -> bool:
        if self._holder.poll() is not None:
            said = self._holder.stderr.read().decode(errors='replace').strip()
            raise NoNamespaces(
                f'network namespaces are needed, and this process may not make any ({said}); run '
                'as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, '
                'or user.max_user_namespaces above 0)'
            )
        # what makes the namespace turns into what holds it when all is done
        return Path(f'/proc/{self.pid}/comm').read_text().strip() == 'cat'


class Host:
    """One host; `address` and `address6` are where the others reach it."""

    def __init__(self, number: int, switch: _Namespace, popen: Any) -> None:
        self.address = f'10.77.0.{number}'
        self.address6 = f'fd77::{number:x}'
        self._port = f'port{number}'
        self._switch = switch
        self._popen = popen
        self._processes: list[GuardedProcess] = []
        self._space = _Namespace(popen, switch)
        peer = ['peer', 'name', 'eth0', 'netns', str(self._space.pid)]
        switch.run('ip', 'link', 'add', self._port, 'type', 'veth', *peer)
        switch.run('ip', 'link', 'set', self._port, 'master', 'switch', 'up')
        self.run('ip', 'link', 'set', 'lo', 'up')
        self.run('ip', 'address', 'add', f'{self.address}/24', 'dev', 'eth0')
        self.run('ip', 'address', 'add', f'{self.address6}/64', 'dev', 'eth0', 'nodad')
        self.run('ip', 'link', 'set', 'eth0', 'up')

    def run(self, *command: str) -> str:
        """Run a command on the host and return what it prints; raises RuntimeError if it fails."""
        return self._space.run(*command)

    def start(
        self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path
    ) -> GuardedProcess:
        """Start a process on the host that ends with this one; see `GuardedProcess`."""
        process = GuardedProcess(
            self._space.command(command),
            environment=environment,
            folder=folder,
            log=log,
            popen=self._popen,
        )
        self._processes.append(process)
        return process

    def cut(self) -> None:
        """Pull the cable; nothing arrives any more and nobody is told."""
        self._switch.run('ip', 'link', 'set', self._port, 'nomaster')

    def restore(self) -> None:
        """Plug the cable in again."""
        self._switch.run('ip', 'link', 'set', self._port, 'master', 'switch')

    def vanish(self) -> None:
        """Lose power: no process says goodbye."""
        self.cut()
        self._end_processes()

    def close(self) -> None:
        """End what runs on the host, and the host."""
        self._end_processes()
        self._space.end()

    def _end_processes(self) -> None:
        while self._processes:
            process = self._processes.pop()
            process.send(signal.SIGKILL)
            process.end()


class Network:
    """A context manager: hosts that are made in it reach each other, and end with it.

    `popen` starts processes; where gevent's is in use, pass `gevent.subprocess.Popen`.
    """

    def __init__(self, popen: Any = subprocess.Popen) -> None:
        missing = {package for tool, package in _TOOLS.items() if shutil.which(tool) is None}
        if missing:
            raise NoNamespaces(f'install {", ".join(sorted(missing))} (as root: tools/servers)')
        self._popen = popen
        self._hosts: list[Host] = []
        self._switch = _Namespace(popen)
        try:
            self._switch.run('ip', 'link', 'add', 'switch', 'type', 'bridge')
            self._switch.run('ip', 'link', 'set', 'switch', 'up')
        except BaseException:
            self._switch.end()
            raise

    def host(self) -> Host:
        """Add a host."""
        host = Host(len(self._hosts) + 1, self._switch, self._popen)
        self._hosts.append(host)
        return host

    def close(self) -> None:
        """End all hosts and what runs on them."""
        for host in self._hosts:
            host.close()
        self._switch.end()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()
