"""What `lymph.inspect` answers about an interface."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import gevent.monkey
import jsonschema
import pydantic
import pytest

import lymph
from lymph.core._hosting import schemas
from lymph.patterns.serial_events import serial_event
from lymph.testing.waiting import eventually

if TYPE_CHECKING:
    from nowhere import Order


DIALECT = 'https://json-schema.org/draft/2020-12/schema'


class Shop(lymph.Interface):
    """Sells things."""

    @lymph.rpc(raises=(KeyError, ValueError), idempotent=True, check=False)
    def price(self, order: Order, *, currency: str = 'EUR') -> int | None:
        """Return the price."""

    @lymph.event('order.*', 'order', retry=3, sequential=True, queue_name='orders')
    def on_order(self, event):
        """Handle an order."""

    @lymph.event('tick', broadcast=True)
    def on_tick(self, event):
        pass

    @lymph.event('first', once=True)
    def on_first(self, event):
        pass

    @serial_event('stock', partition_count=3, retry=1)
    def on_stock(self, event):
        """Count."""

    @lymph.task(retry=2)
    def mail(self, to: str, text: str = ''):
        """Send a mail."""


@pytest.fixture(params=[False, True], ids=['instance', 'worker'])
def described(request, world):
    service = world.container((Shop, 'shop', '1.5'), worker=request.param)
    return lymph.Proxy(world.container(), service.endpoint, 'lymph', timeout=5).inspect()


def test_interfaces_are_described_alike_by_instances_and_workers(described):
    assert described['interfaces'] == [
        {'name': 'shop', 'version': '1.5', 'class': 'Shop', 'help': 'Sells things.'}
    ]
    assert len(described['identity']) == 16
    [mail] = described['tasks']
    assert mail == {
        'name': 'shop.mail',
        'version': '1.5',
        'help': 'Send a mail.',
        'params': ['to: str', "text: str = ''"],
        'parameters': [
            {'name': 'to', 'type': 'str', 'default': None},
            {'name': 'text', 'type': 'str', 'default': "''"},
        ],
        'takes_any': False,
        'returns': None,
        'queue': 'shop.mail',
        'sequential': False,
        'broadcast': False,
        'retry': 2,
        'parameters_schema': {
            '$schema': DIALECT,
            'type': 'object',
            'properties': {'to': {'type': 'string'}, 'text': {'type': 'string', 'default': ''}},
            'required': ['to'],
            'additionalProperties': False,
        },
        'result_schema': {},
        'schema_problem': None,
    }
    events = {event['name']: event for event in described['events']}
    assert events['shop.on_order'] == {
        'name': 'shop.on_order',
        'version': '1.5',
        'help': 'Handle an order.',
        'types': ['order.*', 'order'],
        'queue': 'shop.orders',
        'sequential': True,
        'broadcast': False,
        'once': False,
        'retry': 3,
        'partitions': None,
        'payload_schema': {'$schema': DIALECT, 'type': 'object'},
        'schema_problem': None,
    }
    assert events['shop.on_tick']['broadcast'] is True
    assert events['shop.on_first']['once'] is True
    assert events['shop.on_stock']['partitions'] == 3
    assert events['shop.on_stock']['retry'] == 1


def test_method_is_described_with_all_that_callers_need(world):
    service = world.container((Shop, 'shop'))
    methods = lymph.Proxy(world.container(), service.endpoint, 'lymph', timeout=5).inspect()
    [price] = [each for each in methods['methods'] if each['name'] == 'shop.price']
    assert price['params'] == ['order: Order', "currency: str = 'EUR'"]
    assert price['returns'] == 'int | None'
    assert price['raises'] == ['KeyError', 'ValueError']
    assert price['idempotent'] is True
    # its annotations name what does not exist at run time, so they are not evaluated
    assert price['parameters_schema']['properties'] == {'order': {}, 'currency': {'default': 'EUR'}}
    assert price['result_schema'] == {}


class Undocumented(Shop):
    pass


def test_docstring_of_a_base_class_is_not_that_of_an_interface(world):
    service = world.container((Undocumented, 'shop'))
    described = lymph.Proxy(world.container(), service.endpoint, 'lymph', timeout=5).inspect()
    assert described['interfaces'][0]['help'] == ''


# Schemas.


@dataclasses.dataclass
class Line:
    """A line of an order."""

    article: str
    count: int = 1


class Slow(pydantic.BaseModel):
    """Its schema is made when `GATE` is open."""

    @classmethod
    def model_json_schema(cls, **options):
        with GATE:
            return {'title': 'Slow'}


class Failing(pydantic.BaseModel):
    @classmethod
    def model_json_schema(cls, **options):
        raise SystemExit('not me')


# a lock of native threads, also where gevent has patched them
GATE = gevent.monkey.get_original('_thread', 'allocate_lock')()


class Typed(lymph.Interface):
    @lymph.rpc()
    def order(self, lines: list[Line], note: str | None = None) -> Line:
        """Order something."""

    @lymph.rpc()
    def odd(self, number: int) -> complex:
        """Return what does not travel."""

    @lymph.event('ordered')
    def on_ordered(self, line: Line):
        pass

    @serial_event('counted')
    def on_counted(self, event: lymph.Event[Line]):
        pass

    @lymph.task()
    def pack(self, line: Line):
        pass


def inspected(world, *classes):
    service = world.container(*((cls, cls.__name__.lower()) for cls in classes))
    return facts_of(lymph.Proxy(world.container(), service.endpoint, 'lymph', timeout=30))


def facts_of(proxy):
    answer = proxy.inspect()
    kinds = ('methods', 'events', 'tasks')
    return {each['name']: each for kind in kinds for each in answer[kind]}


def test_schemas_of_parameters_results_payloads_and_tasks_are_described(world):
    facts = inspected(world, Typed)
    order = facts['typed.order']['parameters_schema']
    assert order['properties'] == {
        'lines': {'type': 'array', 'items': {'$ref': '#/$defs/Line'}},
        'note': {'anyOf': [{'type': 'string'}, {'type': 'null'}], 'default': None},
    }
    assert order['required'] == ['lines']
    assert order['$defs']['Line']['description'] == 'A line of an order.'
    result = facts['typed.order']['result_schema']
    assert result == {'$schema': DIALECT, '$ref': '#/$defs/Line', '$defs': order['$defs']}
    for name in ('typed.on_ordered', 'typed.on_counted'):
        assert facts[name]['payload_schema'] == result
    assert facts['typed.pack']['parameters_schema']['required'] == ['line']
    assert facts['lymph.ping']['parameters_schema']['properties'] == {'payload': {'default': None}}
    for fact in facts.values():
        for key in ('parameters_schema', 'result_schema', 'payload_schema'):
            jsonschema.Draft202012Validator.check_schema(fact.get(key, {}))


def test_result_that_cannot_be_described_is_named_and_has_an_open_schema(world):
    odd = inspected(world, Typed)['typed.odd']
    assert odd['parameters_schema']['required'] == ['number']
    assert odd['result_schema'] == {}
    assert odd['schema_problem'].startswith('result: in the annotation complex, complex is not a')


def test_type_whose_schema_raises_does_not_prevent_the_description_of_others(world):
    class Broken(lymph.Interface):
        @lymph.rpc()
        def fail(self, it: Failing):
            pass

    facts = inspected(world, Broken, Typed)
    assert facts['broken.fail']['schema_problem'] == 'SystemExit: not me'
    assert facts['broken.fail']['params'] == ['it: Failing']
    assert facts['typed.pack']['parameters_schema']['required'] == ['line']


def test_slow_schema_neither_blocks_the_loop_nor_fails_the_inspection(world, monkeypatch):
    class Slowly(lymph.Interface):
        @lymph.rpc()
        def wait(self, it: Slow):
            pass

    monkeypatch.setattr(schemas, '_PATIENCE', 0.05)
    service = world.container((Slowly, 'slowly'))
    proxy = lymph.Proxy(world.container(), service.endpoint, 'lymph', timeout=30)
    with GATE:
        wait = facts_of(proxy)['slowly.wait']
        assert wait['schema_problem'] == 'its schema is not made yet: ask again'
        assert proxy.ping(payload=1) == 1
    assert wait['parameters_schema'] == {}
    eventually(lambda: facts_of(proxy)['slowly.wait']['parameters_schema'])


def test_schemas_are_left_out_if_they_are_too_large_in_total(world, monkeypatch):
    monkeypatch.setattr(schemas, '_MOST', 20)
    facts = inspected(world, Typed)
    left_out = [each for each in facts.values() if each['schema_problem']]
    assert left_out[0]['schema_problem'].endswith('those of all methods are too large')
    assert any(each.get('parameters_schema') for each in facts.values())
