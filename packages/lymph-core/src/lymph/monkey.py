"""Making the standard library cooperative."""

from __future__ import annotations

from gevent import monkey

__all__ = ['patch']


def patch() -> None:
    """Replace what blocks in the standard library by gevent's; to be called before other imports.

    `lymph` does it for the commands that run services. Idempotent.
    """
    if not monkey.is_module_patched('socket'):
        monkey.patch_all()
