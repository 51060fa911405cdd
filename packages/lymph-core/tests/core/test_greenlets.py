from __future__ import annotations

from contextvars import Context, ContextVar

import gevent
import pytest

from lymph.core.greenlets import Greenlet, Pool

colour = ContextVar('colour', default='none')


@pytest.fixture
def pool():
    pool = Pool()
    yield pool
    pool.kill(timeout=5)


def test_a_greenlet_starts_with_its_makers_context(pool):
    def maker():
        colour.set('red')
        made = pool.spawn(colour.get)
        colour.set('blue')  # too late for it
        return made

    assert Context().run(maker).get(timeout=5) == 'red'


def test_a_greenlet_keeps_what_it_sets_to_itself(pool):
    def maker():
        colour.set('red')
        pool.spawn(colour.set, 'blue').join(5)
        return colour.get()

    assert Context().run(maker) == 'red'


def test_the_context_follows_into_greenlets_of_greenlets(pool):
    def maker():
        colour.set('red')
        return pool.spawn(lambda: pool.spawn(colour.get).get(timeout=5))

    assert Context().run(maker).get(timeout=5) == 'red'


def test_a_pool_ends_all_its_greenlets(pool):
    ended = []

    def wait():
        try:
            gevent.sleep(60)
        finally:
            ended.append(True)

    greenlets = [pool.spawn(wait) for _ in range(3)]
    gevent.sleep(0)
    pool.kill(timeout=5)
    assert ended == [True] * 3
    assert all(greenlet.dead for greenlet in greenlets)
    assert len(pool) == 0


def test_greenlets_of_a_pool_are_ours(pool):
    assert type(pool.spawn(int)) is Greenlet
