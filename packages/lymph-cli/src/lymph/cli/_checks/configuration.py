"""The check `configuration`: can it be read, and does it make a container."""

from __future__ import annotations

from collections.abc import Iterable

from lymph.core.diagnosis import Check, Finding, Surroundings

__all__ = ['ConfigurationCheck', 'finding_of']


class ConfigurationCheck(Check):
    """Reads the configuration and makes a container with it."""

    about = 'the configuration, as far as a command needs it'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Return the error of the configuration, if it has one."""
        problem = around.problem()
        if problem is None:
            return []
        return [finding_of('a configuration that can be used', problem, 'correct it')]


def finding_of(expected: str, error: BaseException, advice: str) -> Finding:
    """Return a finding made of an error; `advice` is for one that has none behind a semicolon."""
    found, _, own = str(error).rpartition('; ')
    return Finding(expected, found or own, own if found else advice)
