from __future__ import annotations

from pathlib import Path

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.services.node.definitions import check_commands, read_definitions
from lymph.testing.contracts.sections import NUMBERS, check_refused, check_taken_or_refused

SECTION = """
instances:
    echo:
        command: lymph instance --config="conf/my echo.yml"
        numprocesses: 2
    broker:
        command: [rabbitmq-server, '-n', a b]
"""


def read(text: str, tmp_path: Path) -> Configuration:
    file = tmp_path / 'node.yml'
    file.write_text(text)
    config = Configuration()
    config.load_file(file)
    return config


def test_instances_are_commands_and_how_often_they_run(tmp_path: Path) -> None:
    echo, broker = read_definitions(read(SECTION, tmp_path))
    assert echo.command == ('lymph', 'instance', '--config=conf/my echo.yml')
    assert list(echo.processes()) == ['echo.1', 'echo.2']
    assert broker.command == ('rabbitmq-server', '-n', 'a b')
    assert list(broker.processes()) == ['broker.1']


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
        ('{echo: {command: x, color: red}}', 'unknown option (there are: command, numprocesses)'),
    ],
)
def test_what_cannot_be_run_is_a_configuration_error_with_its_place(
    section: str, complaint: str, tmp_path: Path
) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_definitions(read(f'instances: {section}', tmp_path))
    assert complaint in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / 'node.yml'))


@pytest.mark.parametrize('key', ['instances', 'instances.x', 'instances.x.command'])
def test_no_value_is_more_than_a_configuration_error(key: str) -> None:
    check_taken_or_refused(key, read_definitions)


def test_no_number_of_processes_is_more_than_a_configuration_error() -> None:
    base = {'instances': {'x': {'command': 'y'}}}
    check_refused('instances.x.numprocesses', (*NUMBERS, '0.5', '1001'), read_definitions, base)
    check_taken_or_refused('instances.x.numprocesses', read_definitions, base)


def test_a_program_that_is_not_there_is_found_before_anything_starts(tmp_path: Path) -> None:
    definitions = read_definitions(read(SECTION, tmp_path))
    with pytest.raises(
        ConfigurationError, match=r"4: instances\.echo\.command: no program 'lymph'"
    ):
        check_commands(definitions, str(tmp_path))
