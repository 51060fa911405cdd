"""The fixed ports of the instances of a node: which processes share them, and which cannot.

Looked at are the options of `lymph instance` and `lymph worker` and the files that they name; what
cannot be read is left for the instance to report.

================  ==================================================================================
port              several processes
================  ==================================================================================
of an interface   share a socket of the node
of calls          cannot: others call one process by its address. One process gets a socket of the
                  node, so that calls wait while it is restarted (transport `zmtp`)
of the log        cannot, each has a log of its own
of operations     cannot, each has metrics of its own
================  ==================================================================================
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from lymph.cli._program.configuring import load_configuration
from lymph.cli.settings import Settings
from lymph.config import Configuration, ConfigurationError, ConfigView, Location
from lymph.core._operations.settings import read_operations
from lymph.core.addresses import check_host
from lymph.services.node._fleet.definitions import Definition, service_words

__all__ = ['FixedPort', 'check_ports', 'fixed_port', 'fixed_ports']

_FIXED = re.compile(r'^tcp://.*:([0-9]+)$')
_LOOPBACK = '127.0.0.1'


@dataclass(frozen=True, slots=True)
class FixedPort:
    """A fixed port of an instance; `host` is None where no socket is to be made for it."""

    number: int
    where: Location
    host: str | None = None
    shared: bool = False

    def __str__(self) -> str:
        return f'port {self.number} ({self.where})'


def check_ports(definitions: Iterable[Definition], environ: Mapping[str, str]) -> None:
    """Raise ConfigurationError for several processes of one instance with a port of their own.

    All but the first could not listen, and would be started again for ever.
    """
    for definition in definitions:
        if definition.numprocesses > 1:
            port = fixed_port(definition, environ)
            if port is not None:
                raise ConfigurationError(
                    f'{definition.numprocesses} processes cannot all listen at {port}; set that '
                    'to 0 for any free port, or numprocesses to 1',
                    definition.where,
                )


def fixed_port(definition: Definition, environ: Mapping[str, str]) -> str | None:
    """Return the port that each process of a definition needs for itself, and where it is set."""
    for port in fixed_ports(definition, environ) or ():
        if not port.shared:
            return str(port)
    return None


def fixed_ports(definition: Definition, environ: Mapping[str, str]) -> list[FixedPort] | None:
    """Return the fixed ports of a definition, None if its files cannot be read.

    `environ` is the environment of the processes of the node.
    """
    words = service_words(definition.command)
    # Neither an instance nor a worker: where it listens is unknown.
    if words is None:
        return []
    files = (*_values(words, '--config'), *_values(words, '-c'))
    variables = tuple(_values(words, '--vars'))
    folder = definition.cwd or ''
    # LYMPH_CONFIG and LYMPH_VARS may be set for this definition alone.
    environ = {**environ, **definition.env}
    given = Settings(config=files, vars=variables)
    here = Settings(
        config=_in(folder, given.configuration_files(environ)),
        vars=_in(folder, given.variable_files(environ)),
    )
    try:
        config = load_configuration(here, environ)
        readers = (_rpc_port, _published_ports, _operations_port, _web_ports)
        return [port for reader in readers for port in reader(config, words)]
    except (ConfigurationError, ValueError):
        # Unlike an empty list, None lets the definition keep the sockets that it has.
        return None


def _rpc_port(config: Configuration, words: Sequence[str]) -> Iterator[FixedPort]:
    container = config.view('container')
    chosen = [word for word in _values(words, '--port') if word.isdecimal()]
    number = int(chosen[-1]) if chosen else _number(container)
    where = Location(f'--port={number}') if chosen else container.locate('port')
    handed = container.get_line('rpc.transport', 'zmtp') == 'zmtp'
    if 0 < number <= 65535:
        yield FixedPort(number, where, _host(container, words) if handed else None)


def _published_ports(config: Configuration, words: Sequence[str]) -> Iterator[FixedPort]:
    container = config.view('container')
    for key in ('log_endpoint', 'monitoring_endpoint'):
        published = _FIXED.search(container.get_line(key, ''))
        if published is not None and int(published[1]):
            yield FixedPort(int(published[1]), container.locate(key))


def _operations_port(config: Configuration, words: Sequence[str]) -> Iterator[FixedPort]:
    container = config.view('container')
    settings = read_operations(container, 0)
    if settings is not None and settings.port:
        yield FixedPort(settings.port, container.locate(['operations', 'port']))


def _web_ports(config: Configuration, words: Sequence[str]) -> Iterator[FixedPort]:
    """Yield the ports of interfaces, which only instances listen at."""
    chosen = set(_values(words, '--interface'))
    interfaces = config.view('interfaces') if 'instance' in words else Configuration()
    for name in interfaces:
        section = interfaces.view([name])
        number = _number(section)
        # `--interface=echo` chooses all versions of it: echo@1.2 and echo@2.0.
        if number and (not chosen or chosen & {name, name.partition('@')[0]}):
            ip = section.get_raw('ip')
            host = _host(config.view('container'), words) if ip is None else check_host(ip)
            # Without a host, the node can make no socket for the processes to share.
            yield FixedPort(number, section.locate('port'), host, shared=host is not None)


def _number(section: ConfigView) -> int:
    return section.get_int('port', 0, minimum=0, maximum=65535)


def _host(container: ConfigView, words: Sequence[str]) -> str | None:
    """Return where an instance listens, None where only the instance knows."""
    if '--guess-external-ip' in words:
        return None
    chosen = list(_values(words, '--ip'))
    return check_host(chosen[-1] if chosen else container.get_line('ip', _LOOPBACK))


def _in(folder: str, paths: Iterable[str]) -> tuple[str, ...]:
    return tuple(os.path.join(folder, path) for path in paths)


def _values(words: Sequence[str], option: str) -> Iterator[str]:
    """Yield what an option is given: ``--config=FILE``, ``--config FILE``, ``-cFILE``."""
    for number, word in enumerate(words):
        if word == option:
            # A slice, because the option may be the last word.
            yield from words[number + 1 : number + 2]
        elif option.startswith('--') and word.startswith(f'{option}='):
            yield word.partition('=')[2]
        elif not option.startswith('--') and word.startswith(option):
            yield word[len(option) :]
