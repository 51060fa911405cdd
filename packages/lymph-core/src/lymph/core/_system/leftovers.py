"""The check `state`: files of dead processes, other users and other versions on this machine."""

from __future__ import annotations

import os
import pwd
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from lymph.config import ConfigView
from lymph.config.printable import printable
from lymph.core._system.blocking import in_thread
from lymph.core._system.state import state_base
from lymph.core._system.state_files import StateFile, read_state
from lymph.core.diagnosis import Check, Finding, NotChecked, Surroundings

__all__ = ['StateCheck', 'state_bases', 'state_findings']

_NAMED = 3  # files in one finding
_OTHERS_WRITE = 0o022


class StateCheck(Check):
    """Looks into the state directory, and into directories that `path` of a backend names."""

    early = True
    about = 'files in the state directory'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Check all files; raises NotChecked if no state directory exists."""
        found: list[Finding] = []
        bases = [base for base in state_bases(around.config) if base.is_dir()]
        if not bases:
            raise NotChecked('there is no state directory')
        for base in bases:
            found += state_findings(base, in_thread(read_state, base), os.geteuid())
        return found


def state_bases(config: ConfigView) -> Sequence[Path]:
    """Return the state directories of a configuration; they may not exist yet."""
    paths: list[str | None] = [None]
    for key in ('container.registry.path', 'container.events.path'):
        path = config.get_raw(key)
        if isinstance(path, str):
            paths.append(path)
    return list(dict.fromkeys(state_base(path) for path in paths))


def state_findings(base: Path, files: Iterable[StateFile], uid: int) -> Iterator[Finding]:
    """Yield what is wrong with the files in the state directory `base` of the user `uid`."""
    files = list(files)
    where = printable(str(base))
    owner = _user(uid)
    foreign = [each for each in files if each.uid != uid]
    if foreign:
        whose = ', '.join(sorted({_user(each.uid) for each in foreign}))
        yield Finding(
            f'files of {owner} alone in {where}',
            f'{_count(foreign)} of {whose}: {_named(foreign)}',
            f'run lymph as one user: chown -R {uid} {where}, or set LYMPH_STATE_DIR to another '
            'directory',
        )
    writable = [
        each for each in files if each.mode & _OTHERS_WRITE and each.kind in ('file', 'directory')
    ]
    if writable:
        yield Finding(
            f'that only {owner} can write in {where}',
            f'{_count(writable)} that others can write: {_named(writable)}',
            f'chmod -R go-w {where}',
        )
    dead = [each for each in files if each.dead]
    if dead:
        yield Finding(
            f'that processes take their files in {where} with them',
            f'{_count(dead)} of processes that were killed: {_named(dead)}',
            'whoever uses the directory next removes them; if they come back, see what kills the '
            'processes (out of memory?); if they stay, remove them',
        )
    unknown = [each for each in files if not each.known]
    if unknown:
        yield Finding(
            f'nothing but the files of this version of lymph in {where}',
            f'{_count(unknown)} that are not: {_named(unknown)}',
            'they are of another version or another program; remove them when nobody needs them',
        )


def _count(files: Sequence[StateFile]) -> str:
    return f'{len(files)} file{"" if len(files) == 1 else "s"}'


def _named(files: Sequence[StateFile]) -> str:
    names = [printable(each.path or 'the directory itself', 200) for each in files[:_NAMED]]
    return ', '.join([*names, *(['...'] if len(files) > _NAMED else [])])


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f'uid {uid}'
