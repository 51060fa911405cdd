from __future__ import annotations

import pytest

from lymph.core.protocol.redelivery import Backoff
from lymph.events.embedded import EmbeddedEventSystem
from lymph.testing.contracts.events import EventSystemContract


class TestEmbeddedEventSystem(EventSystemContract):
    @pytest.fixture(autouse=True)
    def _state(self, tmp_path):
        self.path = str(tmp_path)

    def make_event_system(self):
        return EmbeddedEventSystem(self.path, backoff=Backoff(first=0.05))
