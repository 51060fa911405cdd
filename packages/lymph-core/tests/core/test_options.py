from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.options import refuse_unknown

CONFIG = Configuration({'a': {'class': 'x', 'path': 1}, 'b': {'pth': 1}, 'c': {'x.y': 1}, 'd': {}})


@pytest.mark.parametrize('key', ['a', 'd', 'missing'])
def test_known_options_and_the_class_are_fine(key):
    refuse_unknown(CONFIG.view(key), ('path',))


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
