"""Instances that a node would start several times on one port."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Sequence

from lymph.cli.configuring import load_configuration
from lymph.cli.settings import Settings
from lymph.config import Configuration, ConfigurationError
from lymph.services.node.definitions import Definition, service_words

__all__ = ['check_ports', 'fixed_port']

_FIXED = re.compile(r'^tcp://.*:([0-9]+)$')


def check_ports(definitions: Iterable[Definition], settings: Settings) -> None:
    """Raise ConfigurationError for several processes of one instance with a fixed port.

    All but the first could not listen, and would be started again for ever.
    """
    for definition in definitions:
        if definition.numprocesses > 1:
            port = fixed_port(definition, settings)
            if port is not None:
                raise ConfigurationError(
                    f'{definition.numprocesses} processes cannot all listen at {port}; set that '
                    'to 0 for any free port, or numprocesses to 1',
                    definition.where,
                )


def fixed_port(definition: Definition, settings: Settings) -> str | None:
    """Return the port that each process of a definition needs for itself, and where it is set.

    Looked at are the options of `lymph instance` and `lymph worker` and the files they name; what
    cannot be read is left for the instance to report.
    """
    for port, place in _fixed_ports(definition, settings):
        return f'port {port} ({place})'
    return None


def _fixed_ports(definition: Definition, settings: Settings) -> Iterator[tuple[int, str]]:
    words = service_words(definition.command)
    if words is None:
        return
    for port in _values(words, '--port'):
        if port.isdecimal() and int(port):
            yield int(port), f'--port={port}'
    files = (*_values(words, '--config'), *_values(words, '-c'))
    variables = tuple(_values(words, '--vars'))
    folder = definition.cwd or ''
    environ = {**os.environ, **definition.env}
    given = Settings(config=files, vars=variables)
    here = Settings(
        config=_in(folder, given.configuration_files(environ)) or settings.config,
        vars=_in(folder, given.variable_files(environ)) or settings.vars,
    )
    try:
        yield from _configured_ports(load_configuration(here))
    except ConfigurationError:
        return


def _in(folder: str, paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(os.path.join(folder, path) for path in paths)


def _configured_ports(config: Configuration) -> Iterator[tuple[int, str]]:
    sections = [config.view('container')]
    interfaces = config.view('interfaces')
    sections += [interfaces.view([name]) for name in interfaces]
    for section in sections:
        port = section.get_int('port', 0)
        if port:
            yield port, str(section.locate('port'))
    published = _FIXED.search(config.view('container').get_line('log_endpoint', ''))
    if published is not None and int(published[1]):
        yield int(published[1]), str(config.view('container').locate('log_endpoint'))


def _values(words: Sequence[str], option: str) -> Iterator[str]:
    """Yield what an option is given: ``--config=FILE``, ``--config FILE``, ``-cFILE``."""
    for number, word in enumerate(words):
        if word == option:
            yield from words[number + 1 : number + 2]
        elif option.startswith('--') and word.startswith(f'{option}='):
            yield word.partition('=')[2]
        elif not option.startswith('--') and word.startswith(option):
            yield word[len(option) :]
