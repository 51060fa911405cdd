from __future__ import annotations

import threading

import gevent
from gevent.event import Event

from lymph.core._monitoring.stacks import greenlet_stacks, thread_stacks
from lymph.core._system.blocking import in_thread
from lymph.core._system.threads import get_ident


def waits_in_a_test(event):
    event.wait()


def test_equal_stacks_of_greenlets_are_shown_once():
    end = Event()
    waiting = [gevent.spawn(waits_in_a_test, end) for _ in range(3)]
    gevent.sleep(0)
    text = greenlet_stacks()
    end.set()
    gevent.joinall(waiting)
    assert text.count('in waits_in_a_test') == 1
    assert '3 x Greenlet (most recent call first):' in text


def test_stacks_of_native_threads_name_the_one_with_the_loop():
    begun, end = threading.Event(), threading.Event()

    def waits_in_a_thread():
        begun.set()
        end.wait(30)

    thread = threading.Thread(target=waits_in_a_thread)
    thread.start()
    begun.wait(30)
    text = in_thread(thread_stacks, get_ident())
    end.set()
    thread.join()
    assert 'in waits_in_a_thread' in text
    assert text.count('which has the loop') == 1


def test_deep_stacks_are_cut():
    def down(depth):
        return thread_stacks() if depth == 0 else down(depth - 1)

    text = down(100)
    assert text.count('in down') == 29
    assert '  ...' in text
