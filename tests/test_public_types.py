"""Nothing public is `Any` that has a type: the exceptions are listed here, with their reasons."""

from __future__ import annotations

import ast
import importlib
import inspect
import pathlib
from collections.abc import Iterator
from fnmatch import fnmatchcase

ROOT = pathlib.Path(__file__).parents[1]

#: patterns of ``Class.method(parameter)``, ``Class.method()`` for a result, ``Class.attribute``
REASONS = {
    'values that travel: arguments, results, payloads, bodies and headers': [
        'Call*.*request()',
        'Call*.*request(*)',
        'CallProblem.__init__(more)',
        'CallerSide.emit_event(headers)',
        'CallerSide.send_request(body)',
        'Event.*',
        'Gateway.call*',
        'Headers.*',
        'Message.*',
        'ReplyChannel.*',
        'Work.*',
        '*TestCase.request(*)',
        'ServicesTestCase.send(*)',
        'RpcMockTestCase.*',
        '*pack(value)',
        'unpack*()',
        'decode()',
        'dumps(value)',
        'encode_event(encode)',
        'event_from(value)',
        'loads()',
        'plain*',
        'Serializer.*code',
        'check_facts*',
        'ServiceInstance.*serialize*',
        'unmarked*',
    ],
    'what the work that is surrounded returns': [
        'Interceptor.intercept*',
        'OpenTelemetry.intercept*',
        'surround*',
        'Chain*.*',
    ],
    'values of a configuration; those of a known type have getters of their own': [
        'Config*',
        'Interface.*config*',
        'Plugin.*config*',
        'OpenTelemetry.*config*',
        'Dashboard.apply_config(config)',
        'Sentry.*config*',
        'Gateway.apply_config(config)',
        'WebServiceInterface.apply_config(config)',
        'ServiceContainer.install_*(config)',
        'configure(section)',
    ],
    'passed on to the constructor of a class that the caller names': [
        '*.from_config(*)',
        'StaticServiceRegistryHub.create_registry(kwargs)',
    ],
    'facts, to be shown': [
        '*.instance_facts()',
        'Answer.*',
        'Connection.stats()',
        'Gateway.document()',
        'LogSocket.receive()',
        'Node.*()',
        'Printer.*(value)',
        'ServiceContainer.status()',
        'mask*',
        'read_record()',
    ],
    'the signatures of gevent': [
        'Flights.__init__(spawn)',
        'Pool.*',
        'Shieldable.throw*',
        'kill_in_time(greenlets)',
    ],
    'whatever a rule of werkzeug takes': ['*.url_for(endpoint)', '*.url_for(values)'],
    'an interface of any class': ['HandlerWork.interface', 'RequestHandler.*interface*'],
    'untyped libraries': ['ZookeeperServiceRegistry.__init__(zkclient)'],
    'anything is taken, and checked': [
        'seconds_to_wait(timeout)',
        'assigns(function)',
        'takes(function)',
    ],
    'its annotation at the place of use says more': ['lazy()', 'SingleServiceTestCase.service'],
    'the methods of whatever class uses the descriptor': [
        'Interface.tasks',
        'Resource.__init__(func)',
        'resource(func)',
    ],
    'suites and their tools, whose options differ with the backend': [
        '*Contract.*',
        '*Harness.*',
        '_Losses.*',
        'Inbox.*',
        '*(base)',
        'make_instance(facts)',
    ],
    'the arguments of any method of a handler': ['Edge.tell(facts)'],
    'the arguments of whoever calls a hook': ['Hook.*'],
    'the arguments of whatever function makes the line': ['LineLog.write(facts)'],
}


def uses_any(annotation: ast.expr | None) -> bool:
    """Tell whether an annotation has `Any` in it, also within text."""
    if annotation is None:
        return False
    for node in ast.walk(annotation):
        text = isinstance(node, ast.Constant) and isinstance(node.value, str)
        if text and uses_any(ast.parse(node.value, mode='eval').body):
            return True
        if getattr(node, 'id', getattr(node, 'attr', '')) == 'Any':
            return True
    return False


def found_in(body: list[ast.stmt], within: str) -> Iterator[str]:
    """Yield ``Class.method(parameter)``, ``Class.method()`` for a result, ``Class.attribute``."""
    overloaded: set[str] = set()
    for node in body:
        if isinstance(node, ast.FunctionDef):
            overload = any(getattr(each, 'id', '') == 'overload' for each in node.decorator_list)
            if overload:
                overloaded.add(node.name)
            elif node.name in overloaded:
                continue  # checkers see the overloads only
            if node.name.startswith('_') and node.name not in ('__init__', '__call__', '__get__'):
                continue
            args = node.args
            every = [*args.posonlyargs, *args.args, *args.kwonlyargs, args.vararg, args.kwarg]
            for arg in every:
                if arg is not None and uses_any(arg.annotation):
                    yield f'{within}{node.name}({arg.arg})'
            if uses_any(node.returns):
                yield f'{within}{node.name}()'
        elif isinstance(node, ast.ClassDef):
            yield from found_in(node.body, f'{within}{node.name}.')
        elif isinstance(node, ast.AnnAssign) and uses_any(node.annotation):
            name = getattr(node.target, 'id', '_')  # attributes of objects are seen by their class
            if not name.startswith('_'):
                yield f'{within}{name}'


def public() -> dict[str, set[str]]:
    """Return the classes and functions that public modules offer, by the module they are in."""
    found: dict[str, set[str]] = {}
    for path in sorted(ROOT.glob('packages/*/src/**/*.py')):
        parts = path.parts[path.parts.index('src') + 1 :]
        name = '.'.join(parts).removesuffix('.py').removesuffix('.__init__')
        if '._' in name or name.endswith('__main__'):
            continue
        module = importlib.import_module(name)
        names = getattr(module, '__all__', ()) if name != 'lymph' else module._HOMES
        for each in names:
            offered = getattr(module, each)
            for cls in inspect.getmro(offered) if isinstance(offered, type) else [offered]:
                home, qualified = getattr(cls, '__module__', ''), getattr(cls, '__qualname__', '')
                if str(home).startswith('lymph.'):
                    found.setdefault(home, set()).add(qualified)
    return found


def anys() -> set[str]:
    """Return all places in public signatures that are annotated with `Any`."""
    found = set()
    for name, offered in public().items():
        tree = ast.parse(inspect.getsource(importlib.import_module(name)))
        kinds = ast.FunctionDef | ast.ClassDef
        found |= set(
            found_in([e for e in tree.body if isinstance(e, kinds) and e.name in offered], '')
        )
    return found


def test_public_signatures_have_types_except_where_none_exists() -> None:
    found = anys()
    patterns = [pattern for listed in REASONS.values() for pattern in listed]
    allowed = {place for place in found for each in patterns if fnmatchcase(place, each)}
    assert {'no type': sorted(found - allowed)} == {'no type': []}
    unused = [each for each in patterns if not any(fnmatchcase(place, each) for place in found)]
    assert {'has a type now': unused} == {'has a type now': []}
