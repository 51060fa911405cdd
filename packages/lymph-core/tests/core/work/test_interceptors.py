"""Interceptors and units of work by themselves: what is checked when they are declared or set."""

from __future__ import annotations

import functools

import pytest

from lymph.core.interceptors import Interceptor, Work


def test_work_created_for_a_test_has_the_given_attributes():
    work = Work('rpc', 'stock.take', {'n': 1}, {'user': 'ada'})
    assert (work.kind, work.name, work.attempt, work.peer) == ('rpc', 'stock.take', 1, None)
    assert work.arguments == {'n': 1}
    assert work.headers['user'] == 'ada'
    assert dict(work.reply_headers) == {}
    assert repr(work) == '<Work rpc stock.take>'


def test_arguments_can_be_changed_and_replaced():
    work = Work('rpc', 'stock.take')
    assert work.arguments == {}
    work.arguments['n'] = 1
    assert work.arguments == {'n': 1}
    work.arguments = {'n': 2}
    assert work.arguments == {'n': 2}


@pytest.mark.parametrize('wrong', [None, [1], 'text', 5])
def test_arguments_that_are_not_a_mapping_are_refused(wrong):
    work = Work('rpc', 'stock.take')
    with pytest.raises(TypeError, match=r'stock\.take: expected the arguments as a mapping'):
        work.arguments = wrong


def test_interceptor_that_does_not_override_intercept_changes_nothing():
    assert Interceptor().intercept(Work('rpc', 'x.y'), lambda: 5) == 5


@pytest.mark.parametrize(
    ('kinds', 'words'),
    [
        ('rpc', "expected kinds as a set such as {'rpc', 'event'}, found 'rpc'"),
        (None, 'expected kinds as a set'),
        ({'rcp'}, "found 'rcp'; did you mean 'rpc'?"),
        ({'rpc', 5}, 'found 5'),
    ],
)
def test_unknown_kinds_are_refused_when_the_class_is_defined(kinds, words):
    with pytest.raises(TypeError) as caught:
        type('Wrong', (Interceptor,), {'kinds': kinds})
    assert 'Wrong: ' in str(caught.value)
    assert words in str(caught.value)


async def coroutine(self, work, proceed):
    return proceed()


async def async_generator(self, work, proceed):
    yield proceed()


def generator(self, work, proceed):
    yield proceed()


@functools.wraps(coroutine)
def wrapped(*args):
    return coroutine(*args)


@pytest.mark.parametrize(
    ('intercept', 'words'),
    [
        (coroutine, 'an async function'),
        (async_generator, 'an async function'),
        (generator, 'a generator function'),
        (wrapped, 'an async function'),
        (functools.partial(generator), 'a generator function'),
        (lambda self, work: None, 'intercept(self, work, proceed)'),
        (lambda self, work, proceed, more: None, 'intercept(self, work, proceed)'),
        (5, 'intercept(self, work, proceed)'),
    ],
)
def test_intercept_with_a_wrong_signature_is_rejected_when_the_class_is_defined(intercept, words):
    with pytest.raises(TypeError) as caught:
        type('Wrong', (Interceptor,), {'intercept': intercept})
    assert 'Wrong: expected intercept(self, work, proceed) as a plain method' in str(caught.value)
    assert words in str(caught.value)
