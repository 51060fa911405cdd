"""What the section of a gateway sets for its calls."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from lymph.config import ConfigView
from lymph.web._gateway.allowed import Allowed
from lymph.web._gateway.idempotency import IdempotencySettings
from lymph.web._options.deadlines import TIMEOUT_HEADER

__all__ = ['CallSettings']


@dataclass(frozen=True)
class CallSettings:
    """Which methods may be called, for how long, and what is kept of the outcomes.

    ==============  ==================  ============================================================
    key             default             meaning
    ==============  ==================  ============================================================
    allow           (required)          patterns of methods, see `Allowed`
    timeout         container.rpc       seconds that a call may take
                    .timeout
    timeout_header  X-Request-Timeout   the header in which clients say how long they wait
    idempotency     see there           see `IdempotencySettings`
    ==============  ==================  ============================================================

    Every HTTP interface has `timeout` and `timeout_header`; they are checked there.
    """

    KEYS: ClassVar[tuple[str, ...]] = ('allow', *IdempotencySettings.KEYS)

    allowed: Allowed = field(default_factory=Allowed)
    timeout: float | None = None
    timeout_header: str = TIMEOUT_HEADER
    idempotency: IdempotencySettings = field(default_factory=IdempotencySettings)

    @classmethod
    def from_config(cls, view: ConfigView) -> CallSettings:
        """Read the section. Raises ConfigurationError for invalid values."""
        return cls(
            Allowed.from_config(view),
            view.get_seconds('timeout', None),
            view.get_line('timeout_header', TIMEOUT_HEADER),
            IdempotencySettings.from_config(view),
        )
