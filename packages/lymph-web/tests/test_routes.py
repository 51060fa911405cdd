"""Validation of a `url_map` before the interface serves it."""

from __future__ import annotations

import pytest
from werkzeug.routing import Map, Rule

from lymph.config import ConfigurationError
from lymph.web._answering.routes import check_routes


class Site:
    title = 'text'

    def hello(self, request, name):
        pass

    def anything(self, request, **arguments):
        pass


@pytest.mark.parametrize(
    'rule',
    [
        Rule('/<name>', endpoint='hello'),
        Rule('/', endpoint='hello', defaults={'name': 'you'}),
        Rule('/<a>/<b>', endpoint='anything'),
        Rule('/old', redirect_to='/new', endpoint='nothing'),
        Rule('/static', endpoint='elsewhere', build_only=True),
    ],
)
def test_rule_that_matches_its_method_is_accepted(rule):
    check_routes(Site(), Map([rule]))


@pytest.mark.parametrize(
    ('rule', 'message'),
    [
        (
            Rule('/<name>', endpoint='helo'),
            r"^Site.url_map: rule '/<name>' expects a method 'helo', which Site does not have; "
            r"did you mean 'hello'\?$",
        ),
        (Rule('/', endpoint='zzz'), r"a method 'zzz', which Site does not have$"),
        (Rule('/', endpoint='title'), "a method 'title'"),
        (Rule('/', endpoint=len), 'a method <built-in function len>'),
        (Rule('/', endpoint='hello'), r"rule '/' expects 'hello' to take \(request\): missing"),
        (Rule('/<a>', endpoint='hello'), r'to take \(request, a\): missing a required argument'),
    ],
)
def test_rule_that_does_not_match_is_an_error_that_says_what_to_do(rule, message):
    with pytest.raises(ConfigurationError, match=message):
        check_routes(Site(), Map([rule]))


def test_url_map_of_another_type_is_an_error():
    with pytest.raises(ConfigurationError, match=r'expected a werkzeug\.routing\.Map, found list'):
        check_routes(Site(), [Rule('/', endpoint='hello')])
