"""Events recorded for the test instead of being delivered. Source: the manual, section 5.8."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from unittest import mock

from lymph.core._typing.payloads import Payload, payload_of
from lymph.core.container import ServiceContainer
from lymph.core.events import Event
from lymph.events.checks import check_emission
from lymph.serializers.msgpack import pack
from lymph.testing._cases.cases import TestCase
from lymph.testing._mocks.expectations import Expectation

if TYPE_CHECKING:
    from lymph.testing._mocks.expectations import Call

__all__ = ['EmittedEvent', 'EventMockTestCase']


class EmittedEvent(Event):
    """An event and the `delay`, in seconds, with which it was emitted."""

    __slots__ = ('delay',)

    def __init__(self, *args: Any, delay: float = 0, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.delay = delay

    def as_call(self) -> Call:
        """Return the event as the call of `emit` that emitted it."""
        options = {'delay': self.delay} if self.delay else {}
        return mock.call(self.type, self.body, **options)


class EventMockTestCase(TestCase):
    """A test case, or a mixin for one, that records the events which the code under test emits.

    No container delivers these events. Calls of tasks are events, too.
    """

    #: the events emitted so far, oldest first
    events: list[EmittedEvent]

    def setUp(self) -> None:
        """Start recording; it ends with the test."""
        self.events = []
        patcher = self._patcher()
        patcher.start()
        self.addCleanup(patcher.stop)
        super().setUp()

    def assert_events_emitted(self, *expected_emitted: Call) -> None:
        """Fail unless exactly these events were emitted, in this order.

        Each is a ``mock.call('task_done', {'id': 1})``, with ``delay=`` in seconds if it was
        delayed; values may be PyHamcrest matchers. Raises the test case's failure, an
        AssertionError, which lists expected and recorded events.
        """
        made = [event.as_call() for event in self.events]
        expected = [_with_payload(call) for call in expected_emitted]
        problem = Expectation(made, 'event').exactly(expected)
        if problem is not None:
            raise self.failureException(problem)

    def _patcher(self) -> Any:
        real = ServiceContainer.emit_event

        @functools.wraps(real)
        def emit_event(
            container: ServiceContainer,
            type: str,
            payload: Payload | None = None,
            *,
            delay: float = 0,
            source: str | None = None,
            headers: Mapping[str, Any] | None = None,
        ) -> None:
            # An invalid event fails as it does without the mock.
            body = payload_of(type, payload)
            event = EmittedEvent(type, body, source, headers, delay=delay)
            check_emission(event, delay)
            pack(event.body)
            self.events.append(event)

        return mock.patch.object(ServiceContainer, 'emit_event', emit_event)


def _with_payload(call: Call) -> Call:
    return call if len(call.args) > 1 else mock.call(*call.args, {}, **call.kwargs)
