from __future__ import annotations

import os
from pathlib import Path

import pytest

from lymph.config import Configuration, ConfigurationError, Location
from lymph.services.node._fleet.definitions import Definition, check_commands, read_definitions
from lymph.testing.contracts.sections import NUMBERS, check_refused, check_taken_or_refused

SECTION = """
instances:
    echo:
        command: lymph instance --config="conf/my echo.yml"
        numprocesses: 2
        env: {POOL: 8, NAME: a=b}
        cwd: /
        restart: on-failure
        stop_timeout: 2.5
    broker:
        command: [rabbitmq-server, '-n', a b]
"""


def read(text: str, tmp_path: Path) -> Configuration:
    file = tmp_path / 'node.yml'
    file.write_text(text)
    config = Configuration()
    config.load_file(file)
    return config


def test_definition_has_a_command_and_a_number_of_processes(tmp_path: Path) -> None:
    echo, broker = read_definitions(read(SECTION, tmp_path))
    assert echo.command == ('lymph', 'instance', '--config=conf/my echo.yml')
    assert list(echo.processes()) == ['echo.1', 'echo.2']
    assert broker.command == ('rabbitmq-server', '-n', 'a b')
    assert list(broker.processes()) == ['broker.1']


def test_optional_settings_of_a_definition_have_defaults(tmp_path: Path) -> None:
    echo, broker = read_definitions(read(SECTION, tmp_path))
    assert echo.env == {'POOL': '8', 'NAME': 'a=b'}
    assert (echo.cwd, echo.restart, echo.stop_timeout) == ('/', 'on-failure', 2.5)
    assert broker.env == {}
    assert (broker.cwd, broker.restart, broker.stop_timeout) == (None, 'on-failure', None)


@pytest.mark.parametrize(
    ('command', 'restart'),
    [
        ('lymph instance -c x.yml', 'always'),
        ('/srv/bin/lymph --vars=v.yml worker', 'always'),
        ('nice -n 5 lymph instance', 'always'),
        ('lymph emit it.happened', 'on-failure'),
        ('sleep 60', 'on-failure'),
        ("sh -c 'lymph instance'", 'on-failure'),
        ('instance lymph', 'on-failure'),
    ],
)
def test_default_of_restart_is_always_for_lymph_instances_and_workers(
    command: str, restart: str, tmp_path: Path
) -> None:
    section = {'instances': {'x': {'command': command}}}
    [definition] = read_definitions(Configuration(section))
    assert definition.restart == restart
    assert definition.serves == (restart == 'always')


@pytest.mark.parametrize(
    ('section', 'complaint'),
    [
        ('{}', 'nothing to run'),
        ('[]', 'expected a mapping'),
        ('{echo: lymph instance}', 'expected a mapping'),
        ('{echo: {numprocesses: 2}}', 'instances.echo.command: not set'),
        ('{echo: {command: ""}}', 'expected a command'),
        ('{echo: {command: "sh -c \'x"}}', 'no closing quotation'),
        ('{echo: {command: "echo a | tr a b"}}', "'|' means something to a shell alone"),
        ('{echo: {command: [sleep, 1]}}', 'expected a list of text'),
        ('{echo: {command: x, numprocesses: two}}', 'expected a whole number'),
        ('{echo: {command: x, numprocesses: -1}}', 'expected a whole number from 0 to 1000'),
        ('{echo: {command: x, numprocesses: 1001}}', 'expected a whole number from 0 to 1000'),
        ('{echo: {command: x, class: y}}', 'unknown option'),
        ('{echo: {command: "a \\0"}}', 'expected words without NUL characters'),
        ('{echo: {command: x, numproceses: 2}}', "did you mean 'numprocesses'?"),
        ('{echo: {command: x, color: red}}', 'unknown option (there are: command, cwd, env, '),
        (
            '{echo: {command: lymph instance --pidfile=x, numprocesses: 2}}',
            '2 processes cannot all have one --pidfile',
        ),
        ('{echo: {command: x, stop_timout: 2}}', "did you mean 'stop_timeout'?"),
        ('{echo: {command: x, stop_timeout: -1}}', 'expected seconds'),
        ('{echo: {command: x, restart: no}}', 'expected always or on-failure or never'),
        ('{echo: {command: x, restart: allways}}', 'expected always or on-failure or never'),
        ('{echo: {command: x, cwd: ""}}', 'expected text, not empty'),
        ('{echo: {command: x, env: [A=1]}}', 'expected a mapping'),
        ('{echo: {command: x, env: {A: 1.10}}}', 'expected text, found 1.1; put it between'),
        ('{echo: {command: x, env: {A: yes}}}', 'expected text, found True; put it between'),
        ('{echo: {command: x, env: {A: }}}', 'expected text, found None; put it between'),
        ('{echo: {command: x, env: {A=B: x}}}', 'expected the name of an environment variable'),
        ('{echo: {command: x, env: {LYMPH_READY_FD: 7}}}', 'the node sets it'),
    ],
)
def test_invalid_definition_is_a_configuration_error_with_its_place(
    section: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_definitions(read(f'instances: {section}', tmp_path))
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / 'node.yml'))


@pytest.mark.parametrize('key', ['instances', 'instances.x', 'instances.x.command'])
def test_any_invalid_value_raises_configuration_error(key: str) -> None:
    check_taken_or_refused(key, read_definitions)


@pytest.mark.parametrize('key', ['env', 'env.A', 'cwd', 'restart', 'stop_timeout'])
def test_any_invalid_optional_setting_raises_configuration_error(key: str) -> None:
    base = {'instances': {'x': {'command': 'y'}}}
    check_taken_or_refused(f'instances.x.{key}', read_definitions, base)


def test_any_invalid_number_of_processes_raises_configuration_error() -> None:
    base = {'instances': {'x': {'command': 'y'}}}
    check_refused('instances.x.numprocesses', (*NUMBERS, '0.5', '1001'), read_definitions, base)
    check_taken_or_refused('instances.x.numprocesses', read_definitions, base)


def test_missing_program_is_reported_before_anything_starts(tmp_path: Path) -> None:
    definitions = read_definitions(read(SECTION, tmp_path))
    with pytest.raises(
        ConfigurationError, match=r"4: instances\.echo\.command: no program 'lymph'"
    ):
        check_commands(definitions, str(tmp_path))


@pytest.mark.parametrize(
    ('program', 'complaint'),
    [
        ('./run', None),
        ('run', None),
        ('bin/run', "no program 'bin/run'"),
    ],
)
def test_programs_are_searched_in_the_folder_they_run_in(
    program: str, complaint: str | None, tmp_path: Path
) -> None:
    (tmp_path / 'run').touch(mode=0o755)
    definition = Definition(
        'x', (program,), 1, Location('x'), env={'PATH': str(tmp_path)}, cwd=str(tmp_path)
    )
    if complaint is None:
        check_commands([definition], os.devnull)
    else:
        with pytest.raises(ConfigurationError, match=complaint):
            check_commands([definition], os.devnull)


def test_missing_folder_is_reported_before_anything_starts(tmp_path: Path) -> None:
    definition = Definition('x', ('true',), 1, Location('x'), cwd=str(tmp_path / 'no'))
    with pytest.raises(ConfigurationError, match='no folder'):
        check_commands([definition], os.defpath)
