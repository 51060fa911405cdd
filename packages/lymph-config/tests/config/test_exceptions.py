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
def test_an_error_starts_with_the_place_as_far_as_it_is_known(where: Location, text: str) -> None:
    assert str(ConfigurationError('wrong', where)) == text


def test_an_error_tells_its_facts() -> None:
    error = ConfigurationError('wrong', Location('a.b', Position('conf.yml', 3)))
    assert (error.text, error.key, error.file, error.line) == ('wrong', 'a.b', 'conf.yml', 3)


@pytest.mark.parametrize('where', [None, 'somewhere', Location()])
def test_facts_that_are_not_known_are_none(where: Location | str | None) -> None:
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


def test_a_missing_key_is_a_key_error_that_reads_like_the_others() -> None:
    error = MissingKeyError('not set', 'a.b')
    assert isinstance(error, KeyError)
    assert str(error) == 'a.b: not set'
