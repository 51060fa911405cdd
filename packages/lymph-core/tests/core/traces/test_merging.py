"""One tree of what many instances tell: who caused what, and at which time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lymph.core._traces.data import Trace, TraceSource
from lymph.core._traces.merging import merge
from lymph.core._traces.reading import TRACED, Told

SHOP, STOCK, MAIL = 0, 1, 2
SOURCES = [TraceSource(name, f'id-{name}', f'tcp://{name}') for name in ('shop', 'stock', 'mail')]


def told(
    source: int, kind: str, name: str, started: float, duration: float | None, **facts
) -> Told:
    given = {'id': None, 'parent': None, 'peer': None, 'outcome': 'ok', 'ok': True, 'attempt': 1}
    if duration is None:
        given.update(ok=None, outcome='running')
    return Told(source, kind, name=name, started=started, duration=duration, **{**given, **facts})


# A request, which calls stock, whose first attempt to tell mail fails.
ORDER = [
    told(SHOP, 'http', 'POST /orders', 0.0, 1.0, id='1'),
    told(SHOP, 'call', 'stock.take', 0.1, 0.5, id='a0', parent='1'),
    told(STOCK, 'rpc', 'stock.take', 0.2, 0.3, id='a0'),
    told(STOCK, 'emit', 'taken', 0.3, 0.1, id='e', parent='a0'),
    told(MAIL, 'event', 'mail.on_taken', 0.4, 0.1, id='e/q/1', parent='e', ok=False, outcome='E'),
    told(MAIL, 'event', 'mail.on_taken', 1.4, 0.1, id='e/q/2', parent='e', attempt=2),
    told(MAIL, 'emit', 'mail.send', 1.45, 0.01, id='t', parent='e/q/2'),
    told(MAIL, 'task', 'mail.send', 1.6, 0.2, id='t/q/1', parent='t'),
]


def shape(trace: Trace) -> list[tuple[int, str, str, int]]:
    return [(unit.depth, unit.kind, unit.name, unit.attempt) for unit in trace.units]


def test_tree_follows_causes_across_instances():
    trace = merge('x', ORDER, SOURCES)
    assert shape(trace) == [
        (0, 'http', 'POST /orders', 1),
        (1, 'call', 'stock.take', 1),
        (2, 'rpc', 'stock.take', 1),
        (3, 'emit', 'taken', 1),
        (4, 'event', 'mail.on_taken', 1),
        (4, 'event', 'mail.on_taken', 2),
        (5, 'emit', 'mail.send', 1),
        (6, 'task', 'mail.send', 1),
    ]
    assert [unit.parent for unit in trace.units] == [None, 0, 1, 2, 3, 3, 5, 6]
    assert (trace.outcome, trace.failures, trace.running) == ('ok', 1, 0)
    assert abs(trace.duration - 1.8) < 1e-9


def test_order_of_answers_does_not_matter():
    assert shape(merge('x', ORDER[::-1], SOURCES)) == shape(merge('x', ORDER, SOURCES))


def test_unit_whose_cause_is_gone_is_a_root_with_a_note():
    trace = merge('x', ORDER[2:], SOURCES)
    assert shape(trace)[0] == (0, 'rpc', 'stock.take', 1)
    assert trace.units[0].note == 'its caller is not known'
    assert not any(unit.note for unit in trace.units[1:])


def test_call_outside_of_any_unit_is_a_root_without_a_note():
    trace = merge('x', [told(SHOP, 'call', 'stock.take', 0, 1, id='a')], SOURCES)
    assert trace.units[0].note == ''


def test_ids_of_units_are_those_of_their_instance():
    units = [
        told(SHOP, 'http', 'GET /', 0.0, 1.0, id='1'),
        told(STOCK, 'http', 'GET /stock', 0.0, 1.0, id='1'),
        told(STOCK, 'call', 'a.b', 0.5, 0.1, id='c', parent='1'),
    ]
    trace = merge('x', units, SOURCES)
    call = next(unit for unit in trace.units if unit.kind == 'call')
    assert trace.units[call.parent or 0].name == 'GET /stock'


def test_event_that_is_handled_again_under_its_id_keeps_what_each_run_made():
    units = [
        told(MAIL, 'event', 'mail.on_taken', 0.0, 1.0, id='e/q/1', parent='e', ok=False),
        told(MAIL, 'event', 'mail.on_taken', 9.0, 1.0, id='e/q/1', parent='e'),
        told(MAIL, 'call', 'first.run', 0.5, 0.1, id='c1', parent='e/q/1'),
        told(MAIL, 'call', 'second.run', 9.5, 0.1, id='c2', parent='e/q/1'),
    ]
    assert [(unit.name, unit.parent) for unit in merge('x', units, SOURCES).units] == [
        ('mail.on_taken', None),
        ('first.run', 0),
        ('mail.on_taken', None),
        ('second.run', 2),
    ]


def test_clock_of_another_machine_is_corrected_by_the_call_around_it():
    late = [unit._replace(started=unit.started + 3600) if unit.source == STOCK else unit
            for unit in ORDER[:4]]  # fmt: skip
    trace = merge('x', late, SOURCES)
    call, answer, emission = trace.units[1:]
    assert call.started <= answer.started
    assert answer.started + 0.3 <= call.started + 0.5 + 1e-9
    assert abs(emission.offset - answer.offset - 0.1) < 1e-6
    assert [round(source.shift) for source in trace.sources] == [0, 0, -3600]


def test_clocks_that_contradict_nothing_are_left_alone():
    assert [source.shift for source in merge('x', ORDER, SOURCES).sources] == [0, 0, 0]


def test_clock_of_a_handler_that_starts_before_the_emission_is_corrected():
    early = [unit._replace(started=unit.started - 60) if unit.source == MAIL else unit
             for unit in ORDER]  # fmt: skip
    trace = merge('x', early, SOURCES)
    emission = next(unit for unit in trace.units if unit.name == 'taken')
    handler = next(unit for unit in trace.units if unit.kind == 'event')
    assert handler.started >= emission.started - 1e-9


def test_service_that_works_on_after_its_caller_gave_up_is_not_shifted():
    units = [
        told(SHOP, 'call', 'slow.work', 0.0, 1.0, id='a', ok=False, outcome='Timeout'),
        told(STOCK, 'rpc', 'slow.work', 0.1, 30.0, id='a'),
    ]
    assert merge('x', units, SOURCES).units[1].started == 0.1


def test_chain_that_is_longer_than_the_stack_of_python_is_told():
    count = 3000
    units = []
    for number in range(count):
        parent = f'{number - 1}' if number else None
        units.append(told(SHOP, 'call', 'a.b', number, 1, id=f'{number}', parent=parent))
        units.append(told(SHOP, 'rpc', 'a.b', number, 1, id=f'{number}'))
    assert merge('x', units, SOURCES).units[-1].depth == 2 * count - 1


def test_trace_that_nobody_knows_is_empty():
    trace = merge('x', [], SOURCES)
    assert (trace.outcome, trace.started, trace.units) == ('unknown', None, ())
    assert len(trace.sources) == 3


ids = st.none() | st.sampled_from(['1', '2', '3', '4'])
entries = st.builds(
    Told,
    source=st.integers(0, 2),
    kind=st.sampled_from(sorted(TRACED)),
    id=ids,
    parent=ids,
    name=st.sampled_from(['a.b', 'c.d']),
    peer=st.none(),
    started=st.floats(-1e9, 1e9),
    duration=st.none() | st.floats(0, 1e6),
    outcome=st.just('ok'),
    ok=st.none() | st.booleans(),
    attempt=st.integers(1, 3),
)


@given(st.lists(entries, max_size=25))
def test_any_entries_give_a_forest_with_every_entry_once(told: list[Told]):
    trace = merge('x', told, SOURCES)
    assert sorted((unit.kind, unit.name, unit.attempt) for unit in trace.units) == sorted(
        (each.kind, each.name, each.attempt) for each in told
    )
    assert len({unit.id for unit in trace.units}) == len(told)
    path: list[int] = []
    for index, unit in enumerate(trace.units):
        # depth first: the parent is the last unit of a smaller depth
        del path[unit.depth :]
        assert len(path) == unit.depth
        assert unit.parent == (path[-1] if path else None)
        assert unit.parent is None or not unit.note
        path.append(index)


CAUSED_BY = {1: 0, 2: 1, 3: 2, 4: 3, 5: 3, 6: 5, 7: 6}


@given(st.sets(st.sampled_from(range(len(ORDER)))))
def test_any_part_of_a_trace_keeps_the_causes_that_are_there(part: set[int]):
    trace = merge('x', [ORDER[index] for index in sorted(part)], SOURCES)
    by_facts = {(each.kind, each.name, each.attempt): n for n, each in enumerate(ORDER)}
    found = [by_facts[unit.kind, unit.name, unit.attempt] for unit in trace.units]
    for unit, index in zip(trace.units, found, strict=True):
        cause = CAUSED_BY.get(index)
        expected = found.index(cause) if cause in part else None
        assert unit.parent == expected
