"""What a call is addressed to, as written on a command line."""

from __future__ import annotations

import re
from typing import NamedTuple

import click

from lymph.cli._arguments.instances import parse_wanted
from lymph.config.printable import quoted
from lymph.core.facts import check_name
from lymph.core.transport.endpoints import split_tcp
from lymph.core.versioning import Version, parse_name, parse_version

__all__ = [
    'Subject',
    'parse_address',
    'parse_service',
    'parse_subject',
    'serves',
    'version_order',
]


_HOST_AND_PORT = re.compile(r'(?:[\w.-]{1,255}|\[[\w:.%-]{2,255}\]):[0-9]{1,5}')


class Subject(NamedTuple):
    """A method of an interface, and the version that is wanted (manual, 4.8.1)."""

    interface: str
    method: str
    version: str | None = None

    def __str__(self) -> str:
        return f'{self.interface}.{self.method}'


def parse_subject(text: str) -> Subject:
    """Return what `echo.upper` or `echo.upper@1.2` names; raises UsageError for anything else."""
    name, at, version = text.partition('@')
    interface, _, method = name.rpartition('.')
    if not (interface and method and text.isprintable()) or (at and not version):
        raise click.UsageError(
            f'expected INTERFACE.METHOD or INTERFACE.METHOD@VERSION, found {quoted(text)}'
        )
    if version:
        try:
            parse_version(version)
        except ValueError as error:
            raise click.UsageError(str(error)) from error
    return Subject(interface, method, version or None)


def parse_service(text: str) -> tuple[str, Version | None]:
    """Return the name and the version in `echo` or `echo@1.2`; raises UsageError for anything else.

    An endpoint is returned as it is.
    """
    if '://' in text:
        return text, None
    _refuse_host_and_port(text)
    try:
        return parse_name(text)
    except ValueError as error:
        raise click.UsageError(f'{quoted(text)}: {error}') from error


def serves(version: str | None, wanted: Version) -> bool:
    """Tell whether what has this version, or none, answers requests for `wanted`."""
    try:
        return version is not None and parse_version(version).serves(wanted)
    except ValueError:
        return False


def version_order(version: str | None) -> tuple[Version, str]:
    """Return what sorts versions as numbers; no version comes first."""
    try:
        return parse_version(version or '0'), version or ''
    except ValueError:
        return Version(0), version or ''


def parse_address(text: str) -> str:
    """Return the endpoint, the service or the instance (NAME:IDENTITY) that is to be called.

    Raises UsageError for an endpoint in TCP where nobody can listen, and for what cannot name a
    service: a host and port without ``tcp://``, a name with a version. Endpoints of other schemes
    are for the transport to judge.
    """
    try:
        if text.startswith('tcp://'):
            if not split_tcp(text)[1]:
                raise ValueError(f'expected a port from 1 to 65535, found {quoted(text)}')
        elif '://' not in text:
            # Only for its errors. A version passes here, and is rejected below with advice.
            parse_wanted(check_name(text))
    except ValueError as error:
        raise click.UsageError(f'--address: {error}') from error
    service, at, version = text.partition('@')
    if at and '://' not in text:
        raise click.UsageError(
            f'--address: expected a version behind the method, as in {service}.METHOD@{version}, '
            f'found {quoted(text)}'
        )
    return text


def _refuse_host_and_port(text: str) -> None:
    if _HOST_AND_PORT.fullmatch(text):
        raise click.UsageError(f'{quoted(text)}: an endpoint is written tcp://{text}')
