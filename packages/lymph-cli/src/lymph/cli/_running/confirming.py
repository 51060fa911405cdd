"""Asks before something is done that cannot be undone."""

from __future__ import annotations

import sys

import click
from gevent.socket import wait_read

from lymph.cli.outcomes import OperationFailed
from lymph.cli.output import ask

__all__ = ['confirm']


def confirm(question: str) -> None:
    """Ask on the terminal; raises OperationFailed unless the answer is yes."""
    if not sys.stdin.isatty():
        raise click.UsageError('expected --yes, since there is no terminal to ask at')
    ask(f'{question} [y/N]')
    wait_read(sys.stdin.fileno())  # so that Ctrl-C is heard, and the connection is kept
    if sys.stdin.readline().strip().lower() not in ('y', 'yes'):
        raise OperationFailed('nothing was dropped')
