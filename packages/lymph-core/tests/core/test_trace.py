from __future__ import annotations

import contextvars
import os
import re
import threading

import pytest

from lymph.core import trace
from lymph.core.greenlets import Greenlet


def in_new_context(func):
    return contextvars.Context().run(func)


def test_trace_id_is_none_outside_of_requests():
    assert in_new_context(trace.get_id) is None


def test_get_id_returns_the_id_that_was_set():
    def work():
        assert trace.set_id('mine') == 'mine'
        return trace.get_id()

    assert in_new_context(work) == 'mine'


def test_a_new_id_is_made_when_none_is_given():
    def work():
        made = trace.set_id()
        assert trace.get_id() == made
        return made

    one, other = in_new_context(work), in_new_context(work)
    assert one != other
    assert re.fullmatch('[0-9a-f]{32}', one)


def test_greenlet_inherits_the_id_and_may_set_its_own():
    def work():
        trace.set_id('outer')
        greenlet = Greenlet(lambda: (trace.get_id(), trace.set_id('inner')))
        greenlet.start()
        greenlet.join(5)
        return greenlet.value, trace.get_id()

    assert in_new_context(work) == (('outer', 'inner'), 'outer')


def test_a_forked_child_makes_ids_of_its_own():
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.write(writer, trace.new_id().encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        of_child = pipe.read()
    os.waitpid(pid, 0)
    ours = {trace.new_id() for _ in range(1000)}
    assert len(of_child) == 32
    assert of_child not in ours


def test_low_64_bits_of_ids_are_evenly_spread():
    ids = [trace.new_id() for _ in range(10_000)]
    # how OpenTelemetry samples a hundredth of all traces; 6 standard deviations to each side
    kept = sum(int(id[16:], 16) < 2**64 // 100 for id in ids)
    assert 40 <= kept <= 160
    assert 4700 <= sum(int(id, 16) & 1 for id in ids) <= 5300


def test_threads_never_get_the_same_id():
    made = [[] for _ in range(4)]

    def make(ids):
        for _ in range(20_000):
            ids.append(trace.new_id())

    threads = [threading.Thread(target=make, args=(ids,)) for ids in made]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [len(ids) for ids in made] == [20_000] * 4
    assert len({id for ids in made for id in ids}) == 80_000


@pytest.mark.parametrize('id', ['a', '0123456789abcdef', 'a.b_c:d-E', 'x' * 128])
def test_trace_id_may_have_letters_digits_and_some_punctuation(id):
    assert trace.is_valid(id)


@pytest.mark.parametrize(
    'id', ['', 'x' * 129, 'a b', 'a\n', '\na', 'a\x1b', 'é', '\u0660', 'a/b', None, 5, b'a']
)
def test_anything_else_is_an_invalid_trace_id(id):
    assert not trace.is_valid(id)


@pytest.mark.parametrize('id', ['', 'a b', 'a\nb', 'x' * 129, 'ä', 5, b'abc', '\x1b[31m'], ids=repr)
def test_setting_an_invalid_id_is_rejected(id):
    before = trace.set_id()
    with pytest.raises(ValueError, match='expected a trace id of 1 to 128 letters, digits and'):
        trace.set_id(id)
    assert trace.get_id() == before


@pytest.mark.parametrize('id', ['a', 'x' * 128, 'a.b_c:d-e', '0' * 32])
def test_any_valid_id_can_be_set(id):
    assert trace.set_id(id) == trace.get_id() == id
