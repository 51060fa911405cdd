from __future__ import annotations

import logging

import pytest

import lymph
from lymph.core._monitoring.loglevels import LogLevels
from lymph.core.monitoring.metrics import Counter
from lymph.exceptions import RemoteError
from lymph.testing.waiting import eventually


class Echo(lymph.Interface):
    @lymph.rpc()
    def echo(self, text=None):
        """Return the text.

        As it is.
        """
        return text

    @lymph.raw_rpc()
    def raw(self, channel, message, *, limit=10):
        channel.ack()

    @lymph.rpc()
    def anything(self, **arguments):
        return arguments


# they exist, so that their levels can be changed
logging.getLogger('tests.of.builtin')
logging.getLogger('tests.of.other')


@pytest.fixture
def service(world):
    return world.container((Echo, 'echo', '1.2'))


@pytest.fixture
def builtin(world, service):
    return lymph.Proxy(world.container(), service.endpoint, 'lymph', timeout=5)


@pytest.mark.parametrize('payload', [None, 'x', {'a': [1]}])
def test_ping_returns_the_payload(builtin, payload):
    assert builtin.ping(payload=payload) == payload


def test_the_builtin_interface_answers_for_every_service_name(world, service):
    assert world.container().request('echo', 'lymph.ping', {'payload': 1}) == 1
    assert world.container().discover() == {'echo'}


def test_inspect_describes_all_methods(builtin):
    methods = {method['name']: method for method in builtin.inspect()['methods']}
    echo = {
        'name': 'echo.echo',
        'version': '1.2',
        'params': ['text=None'],
        'help': 'Return the text.\n\nAs it is.',
        'parameters': [{'name': 'text', 'type': None, 'default': 'None'}],
        'takes_any': False,
        'returns': None,
        'raises': [],
        'idempotent': False,
        'raw': False,
    }
    assert echo.items() <= methods['echo.echo'].items()
    assert methods['echo.anything']['takes_any'] is True
    assert methods['echo.raw']['raw'] is True
    assert methods['echo.raw']['params'] == ['message', 'limit=10']
    assert {name for name in methods if name.startswith('lymph.')} == {
        'lymph.change_loglevel',
        'lymph.describe_metrics',
        'lymph.get_metrics',
        'lymph.inspect',
        'lymph.ping',
        'lymph.recent',
        'lymph.status',
        'lymph.trace',
    }
    assert all(method['help'] for name, method in methods.items() if name.startswith('lymph.'))


def test_metrics_are_triples_of_all_parts(builtin):
    builtin.ping()
    metrics = builtin.get_metrics()
    names = {name for name, _, _ in metrics}
    assert {'rpc.callers', 'rpc.handled', 'rpc.running', 'rpc.seconds', 'rpc.failed'} <= names
    assert all(isinstance(value, (int, float)) for _, value, _ in metrics)
    handled = {tags['method']: value for name, value, tags in metrics if name == 'rpc.handled'}
    assert handled['lymph.ping'] == 1
    assert handled['echo.echo'] == 0


def test_metrics_are_described(builtin, service):
    service.metrics.add(Counter('orders.placed'))
    described = {each['name']: each for each in builtin.describe_metrics()}
    assert described['rpc.duration'] == {
        'name': 'rpc.duration',
        'kind': 'histogram',
        'help': described['rpc.duration']['help'],
        'unit': 'seconds',
        'tags': ['method'],
        'exported': '',
    }
    assert described['rpc.duration']['help']
    assert described['orders.placed'] == {'name': 'orders.placed', 'kind': 'counter'}


def test_a_loglevel_is_changed(builtin):
    logger = logging.getLogger('tests.of.builtin')
    builtin.change_loglevel(logger='tests.of.builtin', level='debug')
    assert logger.level == logging.DEBUG
    builtin.change_loglevel(logger='tests.of.builtin', level='ERROR')
    assert logger.level == logging.ERROR


def test_loglevel_is_changed_for_a_period(builtin):
    logger = logging.getLogger('tests.of.builtin')
    logger.setLevel(logging.WARNING)
    builtin.change_loglevel(logger='tests.of.builtin', level='DEBUG', period=0.2)
    assert logger.level == logging.DEBUG
    eventually(lambda: logger.level == logging.WARNING)


def test_level_before_the_first_change_is_restored(builtin):
    logger = logging.getLogger('tests.of.builtin')
    logger.setLevel(logging.WARNING)
    builtin.change_loglevel(logger='tests.of.builtin', level='DEBUG', period=600)
    builtin.change_loglevel(logger='tests.of.builtin', level='INFO', period=0.2)
    assert logger.level == logging.INFO
    eventually(lambda: logger.level == logging.WARNING)


def test_change_without_a_period_replaces_a_timed_one_and_ends_with_the_container(
    world, service, builtin
):
    logger = logging.getLogger('tests.of.builtin')
    logger.setLevel(logging.WARNING)
    builtin.change_loglevel(logger='tests.of.builtin', level='DEBUG', period=0.2)
    builtin.change_loglevel(logger='tests.of.builtin', level='INFO')
    logging.getLogger('tests.of.other').setLevel(logging.NOTSET)
    builtin.change_loglevel(logger='tests.of.other', level='DEBUG', period=0.3)
    eventually(lambda: logging.getLogger('tests.of.other').level == logging.NOTSET)
    assert logger.level == logging.INFO
    service.stop()
    eventually(lambda: logger.level == logging.WARNING)


@pytest.mark.parametrize(('period', 'seconds'), [(None, 3600), (3600, 3600), (1, 1)])
def test_change_without_a_period_lasts_an_hour(period, seconds):
    spawned = []
    loglevels = LogLevels(lambda *args: spawned.append(args))
    loglevels.change('tests.of.builtin', 'DEBUG', period)
    [(_, logger, after)] = spawned
    assert (logger.name, after) == ('tests.of.builtin', seconds)


def test_root_logger_may_be_called_root_or_empty(builtin):
    before = logging.root.level
    builtin.change_loglevel(logger='root', level='ERROR', period=600)
    builtin.change_loglevel(logger='', level='CRITICAL', period=0.2)
    assert logging.root.level == logging.CRITICAL
    eventually(lambda: logging.root.level == before)


def test_logger_that_does_not_exist_is_rejected_and_not_created(builtin):
    for name in ('tests.of.nobody', 'x' * 100_000, '\n'):
        with pytest.raises(RemoteError.ValueError, match='no logger') as caught:
            builtin.change_loglevel(logger=name, level='DEBUG')
        assert len(str(caught.value)) < 200
        assert name not in logging.root.manager.loggerDict


def test_level_above_existing_loggers_is_changed(builtin):
    logging.getLogger('tests.above.builtin')
    builtin.change_loglevel(logger='tests.above', level='DEBUG', period=0.2)
    above = logging.getLogger('tests.above')
    assert above.level == logging.DEBUG
    eventually(lambda: above.level == logging.NOTSET)


@pytest.mark.parametrize(
    'period', [0, -1, float('nan'), float('inf'), 'x', True, [], 3600.1, 2**63, b'1']
)
def test_invalid_period_is_an_error(builtin, period):
    with pytest.raises(RemoteError.ValueError, match='expected a period of more than 0 and at'):
        builtin.change_loglevel(logger='tests.of.builtin', level='DEBUG', period=period)


@pytest.mark.parametrize('level', ['LOUD', '', 5, None, 'DEBUG' * 100_000])
def test_unknown_level_is_an_error(builtin, level):
    with pytest.raises(RemoteError.ValueError, match='expected a level of DEBUG, INFO'):
        builtin.change_loglevel(logger='tests.of.builtin', level=level)


@pytest.mark.parametrize('logger', [5, None, ['a']])
def test_logger_name_must_be_text(builtin, logger):
    with pytest.raises(RemoteError.ValueError, match='expected the name of a logger'):
        builtin.change_loglevel(logger=logger, level='DEBUG')
