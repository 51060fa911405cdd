"""Several hosts on one machine: network namespaces at one switch, each with its own addresses.

```
Network   a switch (a bridge in a namespace of its own)
Host      a namespace with `eth0`, plugged into the switch: 10.77.0.N and fd77::N
```

==============  ===================================================================================
`cut()`         the cable is pulled: nothing arrives, nobody is notified, processes continue
`restore()`     the cable is plugged in again
`vanish()`      the host loses power: the cable is pulled, then all its processes are killed
==============  ===================================================================================

Requires Linux, iproute2, util-linux, and either root or user namespaces; otherwise `Network` raises
`NoNamespaces`, which names what is missing. Each namespace belongs to a process that ends with the
one that made it, in whatever way that ends: nothing is left behind.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from lymph.exceptions import LymphError
from lymph.testing._servers.blocks import ClosedInBlock
from lymph.testing._servers.processes import GuardedProcess
from lymph.testing.waiting import eventually

__all__ = ['Host', 'Network', 'NoNamespaces']

_TOOLS = {'ip': 'iproute2', 'unshare': 'util-linux', 'nsenter': 'util-linux'}
_PATIENCE = 10.0  # seconds for a command of `ip`


class NoNamespaces(LymphError, RuntimeError):
    """This system cannot make hosts; the text says what is missing."""


class _Namespace:
    """A network namespace, which exists as long as a process that waits for the end of a pipe."""

    def __init__(
        self, popen: Callable[..., subprocess.Popen[bytes]], outer: _Namespace | None = None
    ) -> None:
        self._popen = popen
        # Without root, the first namespace is made in a user namespace in which this user is root;
        # all hosts share that.
        make = ['unshare', '--net']
        if outer is None and os.geteuid() != 0:
            make += ['--user', '--map-root-user']
        self._holder: Any = popen(
            [*(outer.command([]) if outer else []), *make, 'cat'],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        self._user = make[-1] == '--map-root-user' or (outer is not None and outer.is_user)
        eventually(self._made, _PATIENCE, 'a network namespace')

    @property
    def pid(self) -> int:
        """The id of the process that keeps it."""
        return int(self._holder.pid)

    @property
    def is_user(self) -> bool:
        """Whether it belongs to another user namespace than this process."""
        return self._user

    def command(self, command: Sequence[str]) -> list[str]:
        """Return the command line that runs `command` in it."""
        user = ['--user', '--preserve-credentials'] if self._user else []
        return ['nsenter', '--target', str(self.pid), '--net', *user, '--', *command]

    def run(self, *command: str) -> str:
        """Run a command in it and return its output. Raises RuntimeError if it fails."""
        process: Any = self._popen(
            self.command(command), stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        output, _ = process.communicate(timeout=_PATIENCE)
        text = str(output.decode(errors='replace'))
        if process.returncode:
            raise RuntimeError(f'{" ".join(command)} failed: {text.strip()}')
        return text

    def end(self) -> None:
        """Release it; it exists until the last process in it has ended."""
        self._holder.stdin.close()
        self._holder.wait()
        self._holder.stderr.close()

    def _made(self) -> bool:
        """Return whether the namespace is ready. Raises NoNamespaces if it cannot be made."""
        if self._holder.poll() is not None:
            said = self._holder.stderr.read().decode(errors='replace').strip()
            raise NoNamespaces(
                f'network namespaces are needed, and this process may not make any ({said}); run '
                'as root, or allow user namespaces (sysctl kernel.unprivileged_userns_clone=1, '
                'or user.max_user_namespaces above 0)'
            )
        # `unshare` becomes `cat` when the namespace is complete.
        return Path(f'/proc/{self.pid}/comm').read_text().strip() == 'cat'


class Host:
    """One host; the others reach it at `address` (IPv4) and `address6` (IPv6)."""

    def __init__(
        self, number: int, switch: _Namespace, popen: Callable[..., subprocess.Popen[bytes]]
    ) -> None:
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
        """Run a command on the host and return its output. Raises RuntimeError if it fails."""
        return self._space.run(*command)

    def start(
        self, command: Sequence[str], *, environment: Mapping[str, str], folder: Path, log: Path
    ) -> GuardedProcess:
        """Start a process on the host that ends with this process.

        The arguments are those of `GuardedProcess`, as is the OSError it raises.
        """
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
        """Pull the cable: nothing arrives any more, and nobody is notified."""
        self._switch.run('ip', 'link', 'set', self._port, 'nomaster')

    def restore(self) -> None:
        """Plug the cable in again."""
        self._switch.run('ip', 'link', 'set', self._port, 'master', 'switch')

    def vanish(self) -> None:
        """Lose power: processes are killed, and their peers are not notified."""
        self.cut()
        self._end_processes()

    def close(self) -> None:
        """Kill all processes on the host, and remove it."""
        self._end_processes()
        self._space.end()

    def _end_processes(self) -> None:
        while self._processes:
            process = self._processes.pop()
            process.send(signal.SIGKILL)
            process.end()


class Network(ClosedInBlock):
    """A switch with hosts that reach each other; a context manager that removes them.

    Arguments: `popen` starts processes (default: subprocess.Popen); if gevent's is used in this
    process, pass `gevent.subprocess.Popen`.

    Raises NoNamespaces if a tool is missing or the system does not allow network namespaces.
    """

    def __init__(self, popen: Callable[..., subprocess.Popen[bytes]] = subprocess.Popen) -> None:
        """Make the switch. Raises NoNamespaces."""
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
        """Add a host. Raises RuntimeError if a command of `ip` fails."""
        host = Host(len(self._hosts) + 1, self._switch, self._popen)
        self._hosts.append(host)
        return host

    def close(self) -> None:
        """Remove all hosts, with their processes."""
        for host in self._hosts:
            host.close()
        self._switch.end()
