"""The check `registry`: can it be used from here."""

from __future__ import annotations

from collections.abc import Iterable

from lymph.cli._checks.configuration import finding_of
from lymph.config import LymphError
from lymph.core.diagnosis import Check, Finding, NotChecked, Surroundings

__all__ = ['RegistryCheck']

_EXPECTED = 'a registry that answers'
_ADVICE = 'start it, or correct container.registry'


class RegistryCheck(Check):
    """Connects to the registry and asks it for all services."""

    about = 'whether the registry answers'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Return why the registry does not answer, if it does not."""
        try:
            around.registry.discover()
        except NotChecked as error:
            if error.__cause__ is None:
                raise
            return [finding_of(_EXPECTED, error.__cause__, _ADVICE)]
        except LymphError as error:
            return [finding_of(_EXPECTED, error, _ADVICE)]
        return []
