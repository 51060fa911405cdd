"""Which instances are meant: a service, a version of it, or one by the beginning of its identity.

============================  ==============================================
``echo``                      all instances of the service
``echo@1.2``                  those that serve the version
``echo:5f1c``                 the one whose identity begins so
``echo@1.2:5f1c``             both
============================  ==============================================
"""

from __future__ import annotations

import re
from typing import NamedTuple

import click

from lymph.cli._arguments.prefixes import expand, listed
from lymph.config.printable import quoted
from lymph.core.services import Service, ServiceInstance
from lymph.core.versioning import Version, parse_name
from lymph.discovery.base import RPC, BaseServiceRegistry
from lymph.exceptions import LookupFailure

__all__ = ['Wanted', 'choose', 'find_instances', 'parse_wanted']

#: What nobody means by the beginning of an identity.
_ENDPOINT = re.compile(r'(localhost|[0-9]{1,3}(\.[0-9]{1,3}){3}|\[[\w:.%-]+\]):[0-9]{1,5}')


class Wanted(NamedTuple):
    """The instances of a service that are meant; None and '' leave out none of them.

    `text` is what was written.
    """

    name: str
    version: Version | None = None
    prefix: str = ''
    text: str = ''


def parse_wanted(text: str) -> Wanted:
    """Return what text of the forms above names; raises UsageError for anything else."""
    if _ENDPOINT.fullmatch(text):
        raise click.UsageError(f'{quoted(text)}: an endpoint is written tcp://{text}')
    service, colon, prefix = text.partition(':')
    if not service or (colon and not prefix):
        raise click.UsageError(f'expected NAME or NAME:IDENTITY, found {quoted(text)}')
    try:
        name, version = parse_name(service)
    except ValueError as error:
        raise click.UsageError(f'{quoted(text)}: {error}') from error
    return Wanted(name, version, prefix, text)


def find_instances(
    registry: BaseServiceRegistry, wanted: Wanted, namespace: str = RPC
) -> list[ServiceInstance]:
    """Return the instances that are meant, sorted by endpoint.

    Raises LookupFailure without any, and what `choose` does.
    """
    if wanted.prefix and wanted.text in registry.discover(namespace):
        wanted = Wanted(wanted.text)  # the name of a service may have a colon in it
    try:
        service = registry.get(wanted.name, namespace)
    except LookupFailure as error:
        if wanted.prefix.isdecimal():  # it may have been meant for a port
            text = f'{error}; an endpoint is written tcp://{wanted.text}'
            raise LookupFailure(text, error.service, **error.facts) from error
        raise
    return choose(service, wanted)


def choose(service: Service, wanted: Wanted) -> list[ServiceInstance]:
    """Return the instances of a service that are meant, sorted by endpoint.

    One identity may have several versions of it. Raises LookupFailure if none serves the version,
    OperationFailed if the identity is not that of one instance.
    """
    found = list(service if wanted.version is None else service.match(wanted.version))
    if wanted.version is not None and not found:
        raise service.lacks(wanted.version)
    found.sort(key=lambda each: (each.endpoint, each.key))
    if wanted.prefix:
        identities = sorted({each.identity for each in found})
        before = f'{wanted.name}:'
        advice = f'there are: {listed([before + each for each in identities])}'
        meant = expand(wanted.prefix, identities, 'instance', advice, before=before)
        found = [each for each in found if each.identity == meant]
    return found
