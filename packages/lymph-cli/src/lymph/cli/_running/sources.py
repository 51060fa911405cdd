"""Code that is given on stdin."""

from __future__ import annotations

import sys

import click

__all__ = ['read_source']


def read_source() -> str:
    """Return what stands on stdin to its end; raises UsageError for what is not UTF-8."""
    data = sys.stdin.buffer.read()
    try:
        return data.decode('utf-8-sig')
    except UnicodeDecodeError as error:
        found = data[error.start]
        line = data.count(b'\n', 0, error.start) + 1
        raise click.UsageError(
            f'stdin: expected UTF-8, found the byte 0x{found:02x} in line {line}'
        ) from error
