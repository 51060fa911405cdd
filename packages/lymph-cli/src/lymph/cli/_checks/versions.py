"""The check `versions`: do the instances of each service go together."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from lymph.core.diagnosis import Answer, Check, Finding, NotChecked, Surroundings
from lymph.core.versioning import parse_version

__all__ = ['VersionsCheck', 'version_findings']

_OLDER = 'one that does not tell, so before 0.16'


class VersionsCheck(Check):
    """Compares the versions of services, and of lymph, among the instances of each service."""

    about = 'versions of the instances of each service'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Look; raises NotChecked when nothing is registered."""
        fleet = around.fleet()
        if not fleet:
            raise NotChecked('no instance is registered')
        return version_findings(fleet)


def version_findings(fleet: Iterable[Answer]) -> Iterator[Finding]:
    """Yield services with several major versions, and those run by several versions of lymph."""
    own: dict[str, Counter[str]] = {}
    lymph: dict[str, Counter[str]] = {}
    for answer in fleet:
        for name, version in answer.services:
            # Known from the registry, also of an instance that does not answer.
            if version is not None:
                own.setdefault(name, Counter())[version] += 1
        if answer.status is not None:
            # Once for each name, even if the instance has several versions of the service.
            for name in {name for name, _ in answer.services}:
                lymph.setdefault(name, Counter())[answer.text('version') or _OLDER] += 1
    for name, versions in sorted(own.items()):
        majors = {parse_version(each).major for each in versions}
        if len(majors) > 1:
            yield Finding(
                f'one major version of {name}',
                _listed(versions),
                f'calls without a version reach {max(majors)}.x alone: have callers ask for a '
                f'version ({name}@{min(majors)}), or replace the older instances',
            )
    for name, versions in sorted(lymph.items()):
        if len(versions) > 1:
            yield Finding(
                f'one version of lymph under all instances of {name}',
                _listed(versions),
                'bring all of them to the newest one',
            )


def _listed(versions: Counter[str]) -> str:
    return ', '.join(
        f'{version} ({count} instance{"" if count == 1 else "s"})'
        for version, count in sorted(versions.items())
    )
