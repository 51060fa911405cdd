from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.options import refuse_near_misses, refuse_unknown

CONFIG = Configuration({'a': {'class': 'x', 'path': 1}, 'b': {'pth': 1}, 'c': {'x.y': 1}, 'd': {}})


@pytest.mark.parametrize('key', ['a', 'd', 'missing'])
def test_known_options_and_the_class_are_fine(key):
    refuse_unknown(CONFIG.view(key), ('path',))


def test_a_section_that_describes_no_object_has_no_class():
    with pytest.raises(ConfigurationError, match=r'^a\.class: unknown option'):
        refuse_unknown(CONFIG.view('a'), ('path',), plain=True)


@pytest.mark.parametrize(
    ('key', 'said'),
    [
        ('b', "b.pth: unknown option (there are: path); did you mean 'path'?"),
        ('c', 'c.x.y: unknown option (there are: path); remove it'),
    ],
)
def test_another_option_is_an_error_that_names_it(key, said):
    with pytest.raises(ConfigurationError) as caught:
        refuse_unknown(CONFIG.view(key), ('path',))
    assert str(caught.value) == said


@pytest.mark.parametrize('key', ['body_timout', 'body_timeouts', 'Body_timeout', 'body-timeout'])
def test_a_near_miss_of_an_option_is_an_error_that_names_it(key):
    with pytest.raises(ConfigurationError, match=rf"^a\.{key}: .* did you mean 'body_timeout'\?"):
        refuse_near_misses(Configuration({'a': {key: 1}}).view('a'), ('body_timeout', 'port'))


@pytest.mark.parametrize('key', ['body_timeout', 'read_timeout', 'ports', 'class', 'x' * 10**5])
def test_options_of_a_users_own_are_fine(key):
    refuse_near_misses(Configuration({'a': {key: 1}}).view('a'), ('body_timeout', 'port'))
