"""The answers of the health endpoint."""

from __future__ import annotations

import asyncio

import gevent
import pytest
from werkzeug.exceptions import MethodNotAllowed
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Request

from lymph.config import Configuration, ConfigurationError
from lymph.web._answering.health import Health


def request(method='GET'):
    return Request(EnvironBuilder('/_health/', method=method).get_environ())


def always(value):
    return lambda: value


@pytest.mark.parametrize(
    ('healthy', 'draining', 'code', 'word'),
    [
        (True, False, 200, 'healthy'),
        (False, False, 503, 'unhealthy'),
        (True, True, 503, 'draining'),
        (False, True, 503, 'draining'),
    ],
)
def test_status_follows_the_check_and_the_drain(healthy, draining, code, word):
    response = Health(always(healthy), always(draining)).respond(request())
    assert response.status_code == code
    assert response.json == {'status': word}
    assert response.headers['Cache-Control'] == 'no-store'


class Undecided:
    def __bool__(self):
        raise SystemExit(1)


@pytest.mark.parametrize(
    'error',
    [
        OSError('no database'), SystemExit(0), KeyboardInterrupt(), GeneratorExit(),
        asyncio.CancelledError(), gevent.Timeout(5), gevent.GreenletExit(),
    ],
    ids=repr,
)  # fmt: skip
def test_check_that_raises_any_exception_means_unhealthy(error):
    def fails():
        raise error

    response = Health(fails, always(False)).respond(request())
    assert response.status_code == 503
    assert b'database' not in response.data


def test_check_result_without_a_truth_value_means_unhealthy():
    assert Health(always(Undecided()), always(False)).respond(request()).status_code == 503


def test_only_get_and_head_are_allowed():
    health = Health(always(True), always(False))
    assert health.respond(request('HEAD')).status_code == 200
    with pytest.raises(MethodNotAllowed):
        health.respond(request('POST'))


def test_endpoint_can_be_moved_and_disabled():
    def configured(**values):
        return Health.from_config(Configuration(values), always(True), always(False))

    assert configured().answers('/_health/')
    assert not configured().answers('/_health')
    assert configured(endpoint='/up').answers('/up')
    assert not configured(enabled=False).answers('/_health/')
    with pytest.raises(ConfigurationError, match="endpoint: expected a path like '/_health/'"):
        configured(endpoint='up')
