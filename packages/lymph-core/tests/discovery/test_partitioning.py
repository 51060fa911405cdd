from __future__ import annotations

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.assembly import build_container
from lymph.discovery.embedded import EmbeddedServiceRegistry
from lymph.discovery.partitioning import SERIAL, RegistryPartitioner
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.testing.contracts.partitioners import PartitionerContract


class TestOverStaticRegistry(PartitionerContract):
    def setup_method(self):
        super().setup_method()
        self.hub = StaticServiceRegistryHub()

    def make_partitioner(self):
        return RegistryPartitioner(self.hub.create_registry())

    def test_nothing_is_left_in_the_registry(self):
        partitioner = self.start()
        self.join(partitioner, 'a')
        assert self.hub.names(SERIAL) == {self.group}
        self.stop(partitioner)
        assert self.hub.names(SERIAL) == set()


class TestOverEmbeddedRegistry(PartitionerContract):
    @pytest.fixture(autouse=True)
    def _state(self, tmp_path):
        self.path = str(tmp_path)
        self.registries = []
        yield
        for registry in self.registries:
            registry.on_stop()
            registry.pool.kill()

    def make_partitioner(self):
        registry = EmbeddedServiceRegistry(self.path)
        self.registries.append(registry)
        return RegistryPartitioner(registry)


HEAD = """
container:
  registry: {class: static}
  events: {class: local}
  rpc: {transport: memory}
"""


def build(text, tmp_path):
    path = tmp_path / 'conf.yml'
    path.write_text(HEAD + text)
    config = Configuration()
    config.load_file(str(path))
    container = build_container(config)
    container.stop()
    return container


@pytest.mark.parametrize(
    'text',
    [
        '',
        'components: {SerialEventHandler: {}}',
        'components: {SerialEventHandler: {class: registry}}',
    ],
)
def test_default_partitioner_uses_the_registry_of_the_container(text, tmp_path):
    container = build(text, tmp_path)
    assert type(container.serial_events.partitioner) is RegistryPartitioner


@pytest.mark.parametrize(
    ('section', 'words'),
    [
        ('{class: nosuch}', r"components\.SerialEventHandler\.class: no plugin 'nosuch'"),
        ('{size: 5}', r'components\.SerialEventHandler\.size: unknown option'),
        ("{class: 'collections:OrderedDict'}", r'must be a subclass of lymph\.core\.partitioning'),
    ],
)
def test_invalid_partitioner_is_an_error(section, words, tmp_path):
    with pytest.raises(ConfigurationError, match=words):
        build(f'components: {{SerialEventHandler: {section}}}', tmp_path)
