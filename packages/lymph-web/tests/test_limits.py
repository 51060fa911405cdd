"""The configuration of the limits of a server."""

from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.web._http.limits import Limits


def test_limits_have_defaults():
    assert Limits.from_config(Configuration({})) == Limits()


def test_limits_are_set_by_numbers_and_by_text():
    limits = Limits.from_config(
        Configuration({'wsgi_pool_size': '7', 'idle_timeout': 5, 'max_body_size': 1000})
    )
    assert limits == Limits(wsgi_pool_size=7, idle_timeout=5.0, max_body_size=1000)


@pytest.mark.parametrize(
    ('key', 'value'),
    [('wsgi_pool_size', 0), ('max_headers', 1.5), ('stall_timeout', -1), ('max_body_size', 'big')],
)
def test_invalid_limit_is_an_error_that_names_the_key(key, value):
    with pytest.raises(ConfigurationError, match=f'^{key}: expected (a whole number|seconds)'):
        Limits.from_config(Configuration({key: value}))
