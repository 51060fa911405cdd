from __future__ import annotations

import pytest

from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.testing.contracts.registries import RegistryContract


class TestEmbeddedRegistry(RegistryContract):
    @pytest.fixture(autouse=True)
    def _state(self, tmp_path):
        self.path = str(tmp_path / 'state')

    def make_registry(self):
        return EmbeddedServiceRegistry(self.path)
