"""Questions of another native thread to the thread of the loop.

A question is put into a queue and the loop is woken up; a greenlet finds the answer, and the thread
that has asked is woken up in turn. Nobody waits: whoever has asked looks at `done`.

=======  ============================  ========================================================
state    begins with                   next
=======  ============================  ========================================================
queued   `ask`                         sought, when the loop handles the wake-up
sought   a greenlet that calls `find`  done, whatever `find` does; also when the greenlet is
                                       killed
done                                   forgotten: the next `ask` of that name is a new question
=======  ============================  ========================================================

While a question of a name is queued or sought, it is not asked again: there is one greenlet for
each name, however many clients ask, and however long `find` takes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import gevent

__all__ = ['LoopQuestions', 'Question']


class Question:
    """What the loop is asked: `answer` is what `find` returned, or the error that it raised."""

    def __init__(self, name: str, find: Callable[[], Any]) -> None:
        self.name = name
        self.find = find
        self.done = False
        self.answer: Any = None


class LoopQuestions:
    """Asks the loop of the thread in which this is made.

    `spawn` starts a greenlet there. `answered` is called there for each answer; it must not wait.
    """

    def __init__(
        self, spawn: Callable[[Callable[[], None]], object], answered: Callable[[], object]
    ) -> None:
        self._spawn = spawn
        self._answered = answered
        self._queued: deque[Question] = deque()
        self._open: dict[str, Question] = {}  # changed by the asking thread alone
        self._wake_up = gevent.get_hub().loop.async_(ref=False)
        self._wake_up.start(self._seek)

    def ask(self, name: str, find: Callable[[], Any]) -> Question:
        """Ask, or return the same question if it was asked and not answered. Never waits.

        Called by the other thread, always by the same one.
        """
        known = self._open.get(name)
        if known is not None and not known.done:
            return known
        question = self._open[name] = Question(name, find)
        self._queued.append(question)
        self._wake_up.send()
        return question

    def close(self) -> None:
        """Ask no more; called in the thread of the loop when the other one has ended."""
        self._wake_up.stop()
        self._wake_up.close()

    def _seek(self) -> None:
        """Start a greenlet for each question. Runs in the hub."""
        while self._queued:
            question = self._queued.popleft()
            try:
                self._spawn(lambda question=question: self._find(question))  # type: ignore[misc]
            except BaseException as error:  # noqa: BLE001 - the asking thread tells it
                self._finish(question, error)

    def _find(self, question: Question) -> None:
        answer: Any = None
        try:
            answer = question.find()
        except BaseException as error:
            answer = error
            raise
        finally:
            self._finish(question, answer)

    def _finish(self, question: Question, answer: Any) -> None:
        question.answer = answer
        question.done = True
        self._answered()
