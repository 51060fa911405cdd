from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.options import refuse_near_misses, refuse_unknown

CONFIG = Configuration({'a': {'class': 'x', 'path': 1}, 'b': {'pth': 1}, 'c': {'x.y': 1}, 'd': {}})


@pytest.mark.parametrize('key', ['a', 'd', 'missing'])
def test_known_options_and_the_class_are_accepted(key):
    refuse_unknown(CONFIG.view(key), ('path',))


def test_class_is_rejected_in_a_plain_section():
    with pytest.raises(ConfigurationError, match=r'^a\.class: unknown option'):
        refuse_unknown(CONFIG.view('a'), ('path',), plain=True)


@pytest.mark.parametrize(
    ('key', 'said'),
    [
        ('b', "b.pth: unknown option (there are: path); did you mean 'path'?"),
        ('c', 'c.x.y: unknown option (there are: path); remove it'),
    ],
)
def test_unknown_option_is_an_error_that_names_it(key, said):
    with pytest.raises(ConfigurationError) as caught:
        refuse_unknown(CONFIG.view(key), ('path',))
    assert str(caught.value) == said


@pytest.mark.parametrize('key', ['body_timout', 'body_timeouts', 'Body_timeout', 'body-timeout'])
def test_typo_of_an_option_is_an_error_that_names_it(key):
    with pytest.raises(ConfigurationError, match=rf"^a\.{key}: .* did you mean 'body_timeout'\?"):
        refuse_near_misses(Configuration({'a': {key: 1}}).view('a'), ('body_timeout', 'port'))


@pytest.mark.parametrize('key', ['body_timeout', 'read_timeout', 'ports', 'class', 'x' * 10**5])
def test_other_options_of_users_are_accepted(key):
    refuse_near_misses(Configuration({'a': {key: 1}}).view('a'), ('body_timeout', 'port'))
