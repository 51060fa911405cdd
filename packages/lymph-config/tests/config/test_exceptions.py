from __future__ import annotations

import pickle

import pytest

from lymph.config import (
    ConfigurationError,
    Location,
    LymphError,
    MissingKeyError,
    PluginError,
    Position,
)


@pytest.mark.parametrize(
    ('where', 'text'),
    [
        (None, 'wrong'),
        ('', 'wrong'),
        ('--config', '--config: wrong'),
        (Location(), 'wrong'),
        (Location('a.b'), 'a.b: wrong'),
        (Location('a.b', Position('conf.yml')), 'conf.yml: a.b: wrong'),
        (Location('a.b', Position('conf.yml', 3)), 'conf.yml:3: a.b: wrong'),
        (Location('', Position('conf.yml', 3)), 'conf.yml:3: wrong'),
        (Location('a\nb.\x1b[2J', Position('c\ud800', 3)), 'c\\ud800:3: a\\nb.\\x1b[2J: wrong'),
    ],
)
def test_error_starts_with_the_known_part_of_its_place(where: Location, text: str) -> None:
    assert str(ConfigurationError('wrong', where)) == text


def test_errors_carry_key_file_and_line() -> None:
    error = ConfigurationError('wrong', Location('a.b', Position('conf.yml', 3)))
    assert (error.text, error.key, error.file, error.line) == ('wrong', 'a.b', 'conf.yml', 3)


@pytest.mark.parametrize('where', [None, 'somewhere', Location()])
def test_errors_without_a_place_have_no_key_file_and_line(where: Location | str | None) -> None:
    error = ConfigurationError('wrong', where)
    assert (error.key, error.file, error.line) == (None, None, None)


@pytest.mark.parametrize('kind', [ConfigurationError, MissingKeyError, PluginError])
def test_every_error_is_a_lymph_error_and_survives_pickling(
    kind: type[ConfigurationError],
) -> None:
    error = pickle.loads(pickle.dumps(kind('wrong', Location('a', Position('f', 1)))))
    assert isinstance(error, LymphError)
    assert isinstance(error, kind)
    assert str(error) == 'f:1: a: wrong'


def test_missing_key_error_reads_like_other_errors() -> None:
    error = MissingKeyError('not set', 'a.b')
    assert isinstance(error, KeyError)
    assert str(error) == 'a.b: not set'
