"""Who listens at a port that somebody else wants."""

from __future__ import annotations

import psutil

from lymph.cli.output import one_line
from lymph.core.addresses import is_wildcard, numeric

__all__ = ['port_holder']

_LONGEST = 100  # characters


def port_holder(host: str, port: int) -> str | None:
    """Return the process that keeps `host` and `port` from being listened at.

    None if the system does not show it, as for processes of other users.
    """
    try:
        for each in psutil.net_connections('tcp'):
            if each.status == psutil.CONN_LISTEN and each.laddr and each.pid:
                ip, taken = each.laddr
                if taken == port and _meet(host, ip):
                    return f'{_name(each.pid)} (process {each.pid})'
    except (psutil.Error, OSError):
        return None
    return None


def _meet(wanted: str, taken: str) -> bool:
    # A host name may stand for any address of this machine.
    named = numeric(wanted) is None
    return named or wanted == taken or is_wildcard(wanted) or is_wildcard(taken)


def _name(pid: int) -> str:
    """Return the name of a process, of a `lymph` its title. A command line may hold secrets."""
    process = psutil.Process(pid)
    words = process.cmdline()
    title = words[0] if words and words[0].startswith('lymph ') else process.name()
    return one_line(title, _LONGEST)
