"""Errors name the path of an unserializable value, whatever its methods do."""

from __future__ import annotations

import contextlib

import gevent
import pytest

from lymph.exceptions import SerializationError
from lymph.serializers import json
from lymph.serializers import msgpack as wire

WRITERS = {'msgpack': wire.pack, 'json': json.dumps, 'plain': json.plain}


@pytest.fixture(params=WRITERS)
def write(request):
    return WRITERS[request.param]


class Stranger:
    looked_at = 0

    def __repr__(self):
        raise SystemExit('no repr')

    def __class_getitem__(cls, item):
        raise SystemExit('no item')


def refusal(write, value):
    with pytest.raises(SerializationError) as caught:
        write(value)
    text = str(caught.value)
    assert '\n' not in text
    assert len(text) < 700
    return text


def test_unserializable_value_in_nested_sets_is_found_at_once(write):
    value = Stranger()
    for _ in range(30):
        value = frozenset({value})
    assert 'at a' + '[0]' * 30 + ': ' in refusal(write, {'a': value})


def test_unserializable_value_after_many_valid_ones_is_found(write):
    value = [{'a': [number, {'b': 'x'}]} for number in range(20_000)]
    value[-1]['a'][1]['b'] = Stranger()
    assert 'at [19999].a[1].b: ' in refusal(write, value)


@pytest.mark.parametrize(
    'dump',
    [
        lambda self: [self],
        lambda self: {'a': self},
        lambda self: (self, self),
        lambda self: frozenset({self}),
        lambda self: self,
        lambda self: type(self)(),
        lambda self: wire.pack(self),
        lambda self: json.dumps(self),
    ],
    ids=['list', 'map', 'twice', 'set', 'itself', 'another', 'packs itself', 'dumps itself'],
)
def test_endless_dump_is_rejected(write, dump):
    endless = type('Endless', (), {'_lymph_dump_': dump})
    assert 'at a' in refusal(write, {'a': endless()})


def test_object_is_not_dumped_again_for_the_error(write):
    dumped = []

    class Counted:
        def _lymph_dump_(self):
            dumped.append(self)
            return {'good': 1, 'bad': Stranger()}

    assert 'at a._lymph_dump_().bad: ' in refusal(write, {'a': Counted()})
    assert len(dumped) == 1


@pytest.mark.parametrize(
    'error', [ValueError('broken'), SystemExit(3), GeneratorExit(), BaseException('x')], ids=repr
)
def test_dump_that_raises_is_named(write, error):
    class Raises:
        def _lymph_dump_(self):
            raise error

    text = refusal(write, {'a': [1, Raises()]})
    assert 'at a[1]: ' in text
    assert 'Raises: ' in text
    assert 'broken' in text or type(error).__name__ in text


def test_error_whose_str_raises_is_named_by_its_class(write):
    class Mute(ValueError):
        def __str__(self):
            raise SystemExit

    class Raises:
        def _lymph_dump_(self):
            raise Mute

    assert refusal(write, [Raises()]).endswith('Raises: Mute')


@pytest.mark.parametrize('thrown', [gevent.Timeout, gevent.GreenletExit, KeyboardInterrupt])
def test_timeout_or_kill_during_a_dump_is_raised_unchanged(write, thrown):
    class Ended:
        def _lymph_dump_(self):
            raise thrown

    with pytest.raises(thrown):
        write([Ended()])
    assert wire.unpack(wire.pack([1])) == [1]


def test_long_and_unprintable_keys_are_cut_and_escaped(write):
    value = {'\x1b[31m' + 'x' * 10**6: {'k' * 10**6: {10**30: {Stranger(): {b'\0' * 10**6: 1}}}}}
    assert '\x1b' not in refusal(write, {'a': [value, Stranger()]})


def test_mapping_that_raises_is_named(write):
    class Evil(dict):
        def items(self):
            raise RuntimeError('no items')

    assert 'no items' in refusal(write, {'a': Evil()})


@pytest.mark.parametrize('change', [list.clear, lambda value: value.append(1)])
def test_list_that_changes_while_it_is_packed_does_no_harm(write, change):
    value = []

    class Changes:
        def _lymph_dump_(self):
            change(value)
            return 1

    value.extend([Changes(), Changes(), 'end'])
    with contextlib.suppress(SerializationError):
        write(value)
    assert wire.unpack(wire.pack([1])) == [1]


def test_invalid_text_is_named_by_its_path():
    for write in (wire.pack, json.dumps):
        assert 'at a[0]: str: ' in refusal(write, {'a': ['\ud800']})
        assert "at (key '\\ud800'): str: " in refusal(write, {'\ud800': 1})
