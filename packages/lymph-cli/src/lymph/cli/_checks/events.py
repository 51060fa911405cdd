"""The check `events`: can the event system be used from here."""

from __future__ import annotations

from collections.abc import Iterable

from lymph.cli._checks.configuration import finding_of
from lymph.core.diagnosis import Check, Finding, NotChecked, Surroundings

__all__ = ['EventsCheck']


class EventsCheck(Check):
    """Connects to the event system."""

    about = 'whether the event system can be used'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Return why the event system does not start, if it does not."""
        try:
            _ = around.events
        except NotChecked as error:
            if error.__cause__ is None:
                raise
            advice = 'start it, or correct container.events'
            return [finding_of('an event system that can be used', error.__cause__, advice)]
        return []
