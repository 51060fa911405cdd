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


def test_greenlet_inherits_the_context_of_its_creator(pool):
    def maker():
        colour.set('red')
        made = pool.spawn(colour.get)
        colour.set('blue')  # too late for it
        return made

    assert Context().run(maker).get(timeout=5) == 'red'


def test_context_changes_stay_in_the_greenlet(pool):
    def maker():
        colour.set('red')
        pool.spawn(colour.set, 'blue').join(5)
        return colour.get()

    assert Context().run(maker) == 'red'


def test_context_is_inherited_by_nested_greenlets(pool):
    def maker():
        colour.set('red')
        return pool.spawn(lambda: pool.spawn(colour.get).get(timeout=5))

    assert Context().run(maker).get(timeout=5) == 'red'


def test_killing_a_pool_ends_all_its_greenlets(pool):
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


def test_pool_spawns_greenlets_of_lymph(pool):
    assert type(pool.spawn(int)) is Greenlet
