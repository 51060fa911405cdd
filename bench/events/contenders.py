"""Who takes part, with what is asked of each, and which figures are aimed at."""

from __future__ import annotations

from dataclasses import dataclass

from bench.events.pairs import Subject
from bench.events.slices import Slice

__all__ = ['EMBEDDED', 'LYMPH', 'SUBJECTS', 'TARGETS', 'Orders', 'Target']

LYMPH, EMBEDDED = 'lymph', 'lymph embedded'

SUBJECTS = (
    Subject(LYMPH, 'lymph', {'events': 'kombu'}),
    Subject('confirm', 'confirm'),
    Subject('kombu', 'kombu'),
    Subject('nameko', 'nameko'),
    Subject('FastStream', 'faststream'),
    Subject(EMBEDDED, 'lymph', {'events': 'embedded'}, embedded=True),
)

_MANY = 64  # emitters
_CALM = 8  # emitters that keep a pace together


@dataclass(frozen=True)
class Orders:
    """The slices of a round."""

    many: Slice
    one: Slice
    broker_pace: Slice  # for those with a broker
    embedded_pace: Slice

    @classmethod
    def of(cls, seconds: float) -> Orders:
        """Make them, each of `seconds`."""
        return cls(
            many=Slice(_MANY, seconds),
            one=Slice(1, seconds),
            broker_pace=Slice(_CALM, 2 * seconds, rate=200),
            embedded_pace=Slice(_CALM, 2 * seconds, rate=100),
        )

    def all(self) -> list[Slice]:
        """Return them in their order."""
        return [self.many, self.one, self.broker_pace, self.embedded_pace]

    def concern(self, subject: str, order: Slice) -> bool:
        """Tell whether a subject takes part in a slice."""
        return order != (self.broker_pace if subject == EMBEDDED else self.embedded_pace)


@dataclass(frozen=True)
class Target:
    """What is aimed at: of `figure` (of `Result`) in the slice `order` (of `Orders`).

    A ratio of `subject` to `other`, or without one the figure itself, which `unit` divides.
    """

    what: str
    order: str
    figure: str
    subject: str
    limit: float
    other: str | None = None
    at_least: bool = True
    unit: float = 1.0


TARGETS = (
    Target('lymph to confirm, handled/s, 64 emitters', 'many', 'rate', LYMPH, 2.0, 'confirm'),
    Target('lymph to nameko, handled/s, 64 emitters', 'many', 'rate', LYMPH, 3.0, 'nameko'),
    Target('lymph to FastStream, handled/s, 64 emitters', 'many', 'rate', LYMPH, 2.0, 'FastStream'),
    Target(
        'lymph to kombu, p50 of the delay, 200 events/s',
        'broker_pace',
        'delay_p50',
        LYMPH,
        1.0,
        'kombu',
        at_least=False,
    ),
    Target('lymph embedded, handled/s, 64 emitters', 'many', 'rate', EMBEDDED, 1000.0),
    Target(
        'lymph embedded, ms, p50 of the delay, 100 events/s',
        'embedded_pace',
        'delay_p50',
        EMBEDDED,
        5.0,
        at_least=False,
        unit=1e-3,
    ),
)
