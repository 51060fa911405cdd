"""The check `disks`: is there room where lymph writes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from lymph.config import ConfigView
from lymph.config.printable import printable
from lymph.core._system.blocking import in_thread
from lymph.core._system.leftovers import state_bases
from lymph.core.diagnosis import Check, Finding, Surroundings

__all__ = ['DisksCheck', 'Volume', 'disk_findings', 'places', 'volumes']

_SHARE = 0.05  # of a file system that is to be free
_ENOUGH = 1 << 30  # bytes that are enough on a large one
_ENOUGH_INODES = 10_000
_UNITS = ((1 << 30, 'GiB'), (1 << 20, 'MiB'), (1 << 10, 'KiB'))


@dataclass(frozen=True)
class Volume:
    """A file system; what lymph has there is at `path`. Sizes in bytes."""

    path: str
    free: int
    size: int
    free_inodes: int = 0
    inodes: int = 0


class DisksCheck(Check):
    """Looks at the file systems of the state directories and of log files."""

    early = True
    about = 'room on the disks of the state directory and log files'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Look at each file system once."""
        return disk_findings(in_thread(volumes, places(around.config)))


def places(config: ConfigView) -> Sequence[Path]:
    """Return where a process with this configuration writes."""
    handlers = config.view('logging.handlers')
    names = [handlers.get_raw([name, 'filename']) for name in handlers]
    files = [Path(name) for name in names if isinstance(name, str)]
    return [*state_bases(config), *files]


def volumes(paths: Iterable[Path]) -> Sequence[Volume]:
    """Return the file systems of paths, or of what there is above them; may block."""
    found: dict[int, Volume] = {}
    for path in paths:
        there = next((each for each in (path, *path.absolute().parents) if each.exists()), None)
        if there is None:
            continue
        device, facts = os.stat(there).st_dev, os.statvfs(there)
        found.setdefault(
            device,
            Volume(
                str(path),
                facts.f_bavail * facts.f_frsize,
                facts.f_blocks * facts.f_frsize,
                facts.f_favail,
                facts.f_files,
            ),
        )
    return list(found.values())


def disk_findings(found: Iterable[Volume]) -> Iterator[Finding]:
    """Yield what is full, or nearly so."""
    for volume in found:
        where = printable(volume.path, 300)
        wanted = min(_ENOUGH, int(volume.size * _SHARE))
        if volume.free < wanted:
            yield Finding(
                f'at least {_size(wanted)} free at {where}',
                f'{_size(volume.free)} of {_size(volume.size)}',
                'make room, or move what lymph writes there: LYMPH_STATE_DIR, logging, --logfile',
            )
        if volume.free_inodes < min(_ENOUGH_INODES, int(volume.inodes * _SHARE)):
            yield Finding(
                f'room for new files at {where}',
                f'{volume.free_inodes} free inodes of {volume.inodes}',
                'remove files nobody needs from that file system (df -i)',
            )


def _size(count: int) -> str:
    for unit, name in _UNITS:
        if count >= unit:
            return f'{count / unit:.1f} {name}'
    return f'{count} bytes'
