"""The endpoints of a container that are for operators: its log, and its backdoor."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

from lymph.config import Location
from lymph.core._hosting.entering import BackdoorSettings, OpenBackdoor, open_backdoor
from lymph.core._hosting.publishing import OpenLog, announced_endpoint, publish_log

__all__ = ['OperatorEndpoints']


class OperatorEndpoints:
    """Opens the log and the backdoor of one container where they are configured.

    `names()` returns the names that prompts of the backdoor define.
    """

    def __init__(self, identity: str, names: Callable[[], dict[str, Any]]) -> None:
        #: where the backdoor listens; None: there is none
        self.backdoor: BackdoorSettings | None = None
        self._identity = identity
        self._names = names
        self._open_log: OpenLog | None = None
        self._open_backdoor: OpenBackdoor | None = None

    def open(self, log: str | None, log_at: Location | str) -> None:
        """Publish the log at the endpoint `log`, whose place is `log_at`; open the backdoor.

        Raises ConfigurationError for an address that cannot be used.
        """
        if log is not None:
            self._open_log = publish_log(log, self._identity, log_at)
        if self.backdoor is not None:
            self._open_backdoor = open_backdoor(self.backdoor, self._identity, self._names)

    def announced(self, announced_host: Callable[[str], str]) -> tuple[str | None, str | None]:
        """Return the endpoints to announce: of the log, and of the backdoor; None if not open.

        `announced_host(ip)` returns the host to announce for an address.
        """
        log, backdoor = (
            None if opened is None else announced_endpoint(opened.endpoint, announced_host)
            for opened in (self._open_log, self._open_backdoor)
        )
        return log, backdoor

    def close(self) -> None:
        """Close what is open; the log last, with what the others have logged."""
        with ExitStack() as steps:
            for opened in (self._open_log, self._open_backdoor):
                if opened is not None:
                    steps.callback(opened.close)
