from __future__ import annotations

import os

import click
import pytest
from click.testing import CliRunner

from lymph.cli.settings import Settings, add_global_options, global_options, pass_settings


@click.command()
@click.argument('words', nargs=-1)
@pass_settings
def show(settings: Settings, words: tuple[str, ...]) -> None:
    click.echo(f'{settings} {words}')


def settings_of(*arguments: str, command: click.Command = show) -> str:
    group = click.Group('lymph', {'show': add_global_options(command)}, params=global_options())
    result = CliRunner().invoke(group, arguments)
    assert result.exit_code == 0, result.output
    return result.output.strip()


@pytest.mark.parametrize(
    'arguments',
    [
        ('--loglevel=debug', '--vars=v.yml', '--no-color', '--logfile=x.log', 'show', 'a'),
        ('show', 'a', '--loglevel=debug', '--vars=v.yml', '--no-color', '--logfile=x.log'),
        ('--loglevel=info', '--logfile=x.log', 'show', '--loglevel=DEBUG', 'a', '--vars=v.yml',
         '--no-color'),
    ],
)  # fmt: skip
def test_options_are_accepted_before_and_after_the_command_and_later_ones_win(
    arguments: tuple[str, ...],
) -> None:
    expected = Settings(vars=('v.yml',), loglevel='DEBUG', logfile='x.log', color=False)
    assert settings_of(*arguments) == f"{expected} ('a',)"


def test_configuration_files_are_collected_in_order() -> None:
    expected = Settings(config=('a.yml', 'b.yml', 'c.yml'))
    assert settings_of('-c', 'a.yml', '--config=b.yml', 'show', '-c', 'c.yml') == f'{expected} ()'


def test_settings_are_unset_without_options() -> None:
    assert settings_of('show') == f'{Settings()} ()'


def test_an_option_that_a_command_uses_for_itself_stays_its_own() -> None:
    @click.command()
    @click.option('-c', '--count', type=int)
    @pass_settings
    def own(settings: Settings, count: int) -> None:
        click.echo(f'{settings.config} {count}')

    assert settings_of('show', '-c', '3', '--config=a.yml', command=own) == "('a.yml',) 3"


def test_a_command_is_not_changed_by_the_options_it_is_given() -> None:
    before = [param.name for param in show.params]
    settings_of('show')
    assert [param.name for param in show.params] == before


def test_files_default_to_those_of_the_environment() -> None:
    environ = {
        'LYMPH_CONFIG': os.pathsep.join(['a.yml', 'b.yml']),
        'LYMPH_VARS': 'v.yml',
    }
    assert Settings().configuration_files(environ) == ('a.yml', 'b.yml')
    assert Settings().variable_files(environ) == ('v.yml',)
    given = Settings(config=('c.yml',), vars=('w.yml',))
    assert given.configuration_files(environ) == ('c.yml',)
    assert given.variable_files(environ) == ('w.yml',)
    assert Settings().configuration_files({}) == ()
