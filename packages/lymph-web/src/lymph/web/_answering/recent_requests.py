"""The requests of an interface among the recent units of work of its process.

A request ends when its answer begins, as in the access log. Calls and events that it makes name it
as what caused them, also those that are made while its answer is sent.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from lymph.core.backends import RecentWork, WorkEntry, set_current_work
from lymph.web._answering.answers import HandlerAnswer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

__all__ = ['RecentRequests']

_METHOD: Final = 20  # characters
_PATH: Final = 200


class RecentRequests:
    """Keeps what became of the requests of the interface `name`; knows those that run.

    With a `recent` that keeps nothing, it does nothing.
    """

    def __init__(self, name: str, recent: RecentWork) -> None:
        self._name = name
        self._recent = recent
        self._running: dict[int, HandlerAnswer] = {}
        recent.sources.append(self._in_progress)

    def begin(self, answer: HandlerAnswer) -> None:
        """Begin a request in the current context."""
        if self._recent.keep:
            answer.work = work = self._recent.new_id()
            self._running[work] = answer
            set_current_work(work)

    def end(self, answer: HandlerAnswer, status: str, seconds: float) -> None:
        """End a request that is answered with `status` (``200 OK``) after `seconds`."""
        id = answer.work
        if self._running.pop(id, None) is None:
            return
        name, peer, code = _name_of(answer.environ), self._name, status[:3]
        put = self._recent.add if code < '500' else self._recent.put
        put(('http', answer.trace_id, id, None, name, peer, answer.started, seconds, code, 1))

    def forget(self, answer: HandlerAnswer) -> None:
        """Forget a request that gets no answer, or is none that is kept."""
        self._running.pop(answer.work, None)

    def _in_progress(self) -> Iterator[WorkEntry]:
        for answer in self._running.values():
            about = 'http', answer.trace_id, answer.work, None, _name_of(answer.environ), self._name
            yield (*about, answer.started, None, '', 1)


def _name_of(environ: WSGIEnvironment) -> tuple[str, str]:
    path: str = environ.get('PATH_INFO', '')[:_PATH]
    if not path.isascii():
        path = path.encode('latin-1', 'replace').decode(errors='replace')  # as WSGI has it
    return environ['REQUEST_METHOD'][:_METHOD], path
