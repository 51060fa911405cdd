"""Every name of the manual's API (chapters 4.4 to 4.6 and 5.1 to 5.8) is there as documented."""

from __future__ import annotations

import inspect
from importlib import import_module
from typing import Any

import pytest

# Where it is, and its parameters as the manual writes them.
CALLABLES = [
    # 5.1, 4.4, 4.5
    ('lymph:Interface.on_start', ''),
    ('lymph:Interface.on_stop', ''),
    ('lymph:Interface.apply_config', 'config'),
    ('lymph:Interface.request', 'address, method, body'),
    ('lymph:Interface.proxy', 'address'),
    ('lymph:Interface.emit', 'event_type, payload, delay=0'),
    ('lymph:Interface.subscribe', '*event_types, sequential=True'),
    ('lymph:Service.apply_config', 'config'),
    ('lymph:rpc', 'raises=()'),
    ('lymph:raw_rpc', ''),
    ('lymph:event', '*event_types, sequential=False, broadcast=False'),
    ('lymph:task', 'sequential=False, broadcast=False'),
    ('lymph:proxy', 'address, version=None'),
    # 5.2, 4.5.3
    ('lymph.core.container:ServiceContainer.from_config', 'config, **kwargs'),
    ('lymph.core.container:ServiceContainer.start', ''),
    ('lymph.core.container:ServiceContainer.stop', ''),
    ('lymph.core.container:ServiceContainer.send_message', 'address, msg'),
    ('lymph.core.container:ServiceContainer.lookup', 'address'),
    ('lymph.core.container:ServiceContainer.connect', 'address'),
    ('lymph.core.container:Container.start', ''),
    ('lymph:ReplyChannel.reply', 'body'),
    ('lymph:ReplyChannel.ack', 'unless_reply_sent=False'),
    ('lymph:ReplyChannel.nack', 'unless_reply_sent=False'),
    ('lymph:ReplyChannel.error', 'body'),
    ('lymph.core.channels:ReplyChannel.reply', 'body'),
    ('lymph.core.channels:RequestChannel.get', 'timeout=1'),
    ('lymph.core.events:Event.__getitem__', 'name'),
    ('lymph.core.services:Service.__iter__', ''),
    ('lymph.core.services:Service.__len__', ''),
    ('lymph.core.services:Service.connect', ''),
    ('lymph.core.services:ServiceInstance.connect', ''),
    # the manual's 1 second is the default of container.rpc.timeout
    ('lymph.core.interfaces:Proxy', 'container, address, namespace=None, timeout=None'),
    ('lymph:Proxy.__getattr__', 'name'),
    # 5.3
    ('lymph.config:ConfigView', 'config, prefix'),
    ('lymph.config:Configuration', 'values=None'),
    ('lymph.config:Configuration.get', 'key'),
    ('lymph.config:Configuration.load', 'file, sections=None'),
    ('lymph.config:Configuration.load_file', 'path, sections=None'),
    ('lymph.config:Configuration.get_raw', 'key, default'),
    ('lymph.config:Configuration.create_instance', 'key, default_class=None, **kwargs'),
    ('lymph.config:Configuration.get_instance', 'key, default_class, **kwargs'),
    # 5.4
    ('lymph.web:WebServiceInterface.is_healthy', ''),
    ('lymph.web.interfaces:WebServiceInterface.is_healthy', ''),
    # 5.5
    (
        'lymph.patterns.serial_events:serial_event',
        '*event_types, partition_count=12, key=None',
    ),
    # 5.6
    ('lymph.core.components:Component', 'error_hook=None, pool=None, metrics=None'),
    ('lymph.core.components:Component.on_start', ''),
    ('lymph.core.components:Component.on_stop', ''),
    ('lymph.core.components:Component.spawn', 'func, *args, **kwargs'),
    ('lymph.core.components:Componentized.add_component', 'component'),
    ('lymph.core.components:Componentized.on_start', ''),
    ('lymph.core.components:Componentized.on_stop', ''),
    # 5.7
    ('lymph.core.monitoring.metrics:Metric', 'name, tags=None'),
    ('lymph.core.monitoring.metrics:Metric.__iter__', ''),
    ('lymph.core.monitoring.metrics:Gauge', 'name, value=0, tags=None'),
    ('lymph.core.monitoring.metrics:Gauge.set', 'value'),
    ('lymph.core.monitoring.metrics:Callable', 'name, func, tags=None'),
    ('lymph.core.monitoring.metrics:Counter', 'name, tags=None'),
    ('lymph.core.monitoring.metrics:Counter.__iadd__', 'value'),
    ('lymph.core.monitoring.metrics:TaggedCounter', 'name, tags=None'),
    ('lymph.core.monitoring.metrics:TaggedCounter.incr', '_by=1, **tags'),
    ('lymph.core.monitoring.metrics:Aggregate', 'metrics=(), tags=None'),
    ('lymph.core.monitoring.metrics:Aggregate.add', 'metric'),
    ('lymph.core.monitoring.metrics:Aggregate.add_tags', '**tags'),
    # 5.8
    ('lymph.testing:RpcMockTestCase.setup_rpc_mocks', 'rpc_functions'),
    ('lymph.testing:RpcMockTestCase.update_rpc_mock', 'func_name, return_value'),
    ('lymph.testing:RpcMockTestCase.delete_rpc_mock', 'func_name'),
    ('lymph.testing:RpcMockTestCase.assert_rpc_calls', '*expected_calls'),
    ('lymph.testing:RpcMockTestCase.assert_any_rpc_calls', '*expected_calls'),
    ('lymph.testing:EventMockTestCase.assert_events_emitted', '*expected_emitted'),
    ('lymph.testing:RPCServiceTestCase.get_proxy', '**kwargs'),
    ('lymph.testing:RPCServiceTestCase.request', 'subject, body'),
    ('lymph.testing:RPCServiceTestCase.emit', 'event_type, payload'),
]

CLASSES = [
    'lymph.core.connections:Connection',
    'lymph.core.messages:Message',
    'lymph.core.services:ServiceInstance',
    'lymph.discovery.zookeeper:ZookeeperServiceRegistry',
    'lymph.events.kombu:KombuEventSystem',
    'lymph.events.local:LocalEventSystem',
    'lymph.events.null:NullEventSystem',
    'lymph.testing:WebServiceTestCase',
]

ATTRIBUTES = {
    'lymph:Interface': ['config', 'error_hook', 'pool', 'metrics'],
    'lymph:RemoteError': ['ValueError'],
    'lymph.config:ConfigView': ['root', 'get', 'keys', 'items', 'values', '__getitem__'],
    'lymph.config:Configuration': ['root', 'get', 'keys', 'items', 'values', '__getitem__'],
    'lymph.core.components:Component': ['error_hook', 'pool', 'metrics'],
    'lymph.core.events:Event': ['type', 'evt_type', 'body', 'source'],
    'lymph.core.messages:Message': ['id', 'type', 'subject', 'body', 'packed_body'],
    'lymph.core.services:ServiceInstance': ['identity', 'endpoint'],
    'lymph.testing:EventMockTestCase': ['events'],
    'lymph.testing:RPCServiceTestCase': ['service_class', 'service_config', 'client'],
    'lymph.testing:RpcMockTestCase': ['rpc_mock_calls'],
    'lymph.testing:WebServiceTestCase': ['client'],
    'lymph.web:WebServiceInterface': ['url_map'],
}

VARIADIC = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def load(path: str) -> Any:
    module, _, name = path.partition(':')
    found: Any = import_module(module)
    for part in name.split('.'):
        found = getattr(found, part)
    return found


def parameters_of(function: Any) -> dict[str, inspect.Parameter]:
    return {name: p for name, p in inspect.signature(function).parameters.items() if name != 'self'}


@pytest.mark.parametrize(('path', 'documented'), CALLABLES, ids=[path for path, _ in CALLABLES])
def test_callable_takes_the_parameters_of_the_manual(path: str, documented: str) -> None:
    found = parameters_of(load(path))
    required = {name for name, p in found.items() if p.default is p.empty}
    expected = parameters_of(eval(f'lambda {documented}: None'))
    for name, parameter in expected.items():
        if parameter.kind is inspect.Parameter.VAR_KEYWORD:
            assert any(p.kind is parameter.kind for p in found.values())
        elif parameter.kind is inspect.Parameter.VAR_POSITIONAL:
            assert found[name].kind is parameter.kind
        else:
            assert name in found
            if parameter.default is not parameter.empty:
                assert found[name].default == parameter.default
    by_position = [name for name, p in expected.items() if p.kind not in VARIADIC]
    in_order = [name for name, p in found.items() if p.kind is p.POSITIONAL_OR_KEYWORD]
    if not any(p.kind is p.VAR_POSITIONAL for p in expected.values()):
        assert [name for name in in_order if name in by_position] == [
            name for name in by_position if name in in_order
        ]
    assert {name for name in required if found[name].kind not in VARIADIC} <= set(expected)


@pytest.mark.parametrize('path', CLASSES)
def test_class_can_be_imported_from_the_path_in_the_manual(path: str) -> None:
    assert inspect.isclass(load(path))


@pytest.mark.parametrize('path', ATTRIBUTES)
def test_object_has_the_attributes_of_the_manual(path: str) -> None:
    cls = load(path)
    annotated = {name for base in cls.__mro__ for name in inspect.get_annotations(base)}
    missing = [name for name in ATTRIBUTES[path] if not hasattr(cls, name)]
    assert [name for name in missing if name not in annotated] == []


@pytest.mark.parametrize(
    ('path', 'name'),
    [('lymph:Interface', 'name'), ('lymph.web:WebServiceInterface', 'application')],
)
def test_instance_has_the_attribute_of_the_manual(path: str, name: str) -> None:
    container = load('lymph.core.container:ServiceContainer').from_config()
    assert getattr(container.install_interface(load(path), 'echo'), name)
