"""The check `clocks`: do the clocks of all hosts tell the same time as the one here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lymph.core.diagnosis import Answer, Check, Finding, NotChecked, Surroundings

__all__ = ['ClocksCheck', 'clock_findings', 'skew']

_MOST = 2.0  # seconds
_ADVICE = 'have both keep time with NTP: timedatectl, or chronyc tracking'


class ClocksCheck(Check):
    """Compares what instances say of the time with the moments before and after the question."""

    about = 'clocks of the hosts that instances run on'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        """Look; raises NotChecked when nobody tells the time."""
        answers = [each for each in around.fleet() if skew(each) is not None]
        if not answers:
            raise NotChecked('no instance tells the time')
        return clock_findings(answers)


def skew(answer: Answer) -> float | None:
    """Return by how many seconds a clock is ahead, at least; 0 where the answer took too long."""
    time = answer.number('time')
    if time is None:
        return None
    if time < answer.asked:
        return time - answer.asked
    return max(0.0, time - answer.answered)


def clock_findings(fleet: Iterable[Answer]) -> Iterator[Finding]:
    """Yield one finding for each host whose clock is off, or one for this host if all others are.

    The clocks of two others who are off in the same direction are believed more than this one.
    """
    hosts: dict[str, float] = {}
    for answer in fleet:
        ahead = skew(answer)
        if ahead is not None:
            host = answer.instance.hostname or answer.instance.endpoint
            # Each skew is a lower bound, so the largest one of a host is the most exact.
            hosts[host] = max(hosts.get(host, 0.0), ahead, key=abs)
    off = {host: ahead for host, ahead in sorted(hosts.items()) if abs(ahead) >= _MOST}
    same = len({ahead > 0 for ahead in off.values()}) == 1
    expected = f'clocks that differ by less than {_MOST:g} s'
    if len(off) > 1 and len(off) == len(hosts) and same:
        # All differ in the same direction, so this clock is wrong, in the opposite direction.
        found = f'the clock of this machine {_words(-next(iter(off.values())))} all others'
        yield Finding(expected, found, _ADVICE)
        return
    for host, ahead in off.items():
        yield Finding(expected, f'the clock of {host} {_words(ahead)} the one here', _ADVICE)


def _words(ahead: float) -> str:
    return f'{abs(ahead):.1f} s {"ahead of" if ahead > 0 else "behind"}'
