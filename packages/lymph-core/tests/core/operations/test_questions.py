from __future__ import annotations

import gevent
import pytest
from gevent.event import Event
from gevent.monkey import get_original

from lymph.core._operations.questions import LoopQuestions
from lymph.core._system.blocking import in_thread
from lymph.core.failures import Killed
from lymph.testing.waiting import eventually


@pytest.fixture
def questions():
    answered, greenlets = Event(), []

    def spawn(func):
        greenlets.append(gevent.spawn(func))

    made = LoopQuestions(spawn, answered.set)
    made.answered, made.greenlets = answered, greenlets
    yield made
    made.close()


def test_the_loop_answers_another_thread(questions):
    thread = get_original('_thread', 'get_ident')
    question = in_thread(questions.ask, 'thread', thread)
    assert questions.answered.wait(10)
    assert (question.done, question.answer) == (True, thread())


def test_a_question_without_an_answer_is_not_asked_again(questions):
    free = Event()
    first = in_thread(questions.ask, 'slow', free.wait)
    eventually(lambda: len(questions.greenlets) == 1)
    assert in_thread(questions.ask, 'slow', free.wait) is first
    other = in_thread(questions.ask, 'other', lambda: 'other')
    eventually(lambda: other.answer == 'other')
    free.set()
    eventually(lambda: first.done)
    assert in_thread(questions.ask, 'slow', lambda: 2) is not first
    eventually(lambda: len(questions.greenlets) == 3)


@pytest.mark.filterwarnings('ignore')
def test_an_error_is_the_answer(questions):
    def fail():
        raise KeyError('no')

    question = in_thread(questions.ask, 'failing', fail)
    eventually(lambda: question.done)
    assert isinstance(question.answer, KeyError)


def test_a_killed_greenlet_is_an_answer_too(questions):
    question = in_thread(questions.ask, 'killed', Event().wait)
    eventually(lambda: questions.greenlets and questions.greenlets[0].started)
    gevent.sleep(0)
    questions.greenlets[0].kill(Killed)
    assert question.done
    assert isinstance(question.answer, Killed)
