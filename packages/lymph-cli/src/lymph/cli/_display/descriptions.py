"""The answer to `lymph.inspect`, checked: somebody else wrote it, maybe with an older lymph.

Each list has maps with facts of the types below. A fact that is missing is not known, and neither
is a list that is missing; what lymph does not know is kept.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from lymph.cli._arguments.subjects import serves, version_order
from lymph.cli._display.schemas import SCHEMAS
from lymph.cli.outcomes import OperationFailed
from lymph.config.printable import quoted
from lymph.core.versioning import Version

__all__ = ['Description', 'Fact', 'merged', 'read_description']

Fact = dict[str, Any]

_WORKER = '.worker'


class Description(NamedTuple):
    """What instances offer; lists that none of them sent are None.

    `identity` is None unless there is one instance, `identities` are those of all that are known.
    """

    identity: str | None
    identities: list[str]
    interfaces: list[Fact] | None
    methods: list[Fact]
    events: list[Fact] | None
    tasks: list[Fact] | None

    def chosen(self, wants: Callable[[str, str | None], bool]) -> Description:
        """Return what is wanted of it, sorted by names and versions.

        `wants(interface, version)` tells that of an interface.
        """

        def of(facts: list[Fact] | None, named: bool = True) -> list[Fact] | None:
            if facts is None:
                return None
            chosen = [
                each
                for each in facts
                if wants(_owner(each['name']) if named else each['name'], each['version'])
            ]
            return sorted(chosen, key=lambda each: (each['name'], version_order(each['version'])))

        return self._replace(
            interfaces=of(self.interfaces, named=False),
            methods=of(self.methods) or [],
            events=of(self.events),
            tasks=of(self.tasks),
        )

    def of_service(self, name: str, version: Version | None) -> Description:
        """Return what belongs to a service; to its workers, ``NAME.worker``, its tasks belong."""
        known = {each['name'] for each in self.interfaces or ()}
        # An interface's own name may end like this. A worker has no methods and no events.
        if name.endswith(_WORKER) and name not in known:
            name = name.removesuffix(_WORKER)
            own = self._replace(methods=[], events=None)
        else:
            own = self
        return own.chosen(
            lambda interface, has: interface == name and (version is None or serves(has, version))
        )


def read_description(reply: Any) -> Description:
    """Return what a reply says; raises OperationFailed if it is of another form."""
    if not isinstance(reply, dict) or not isinstance(reply.get('methods'), list):
        raise _wrong('a mapping with a list of methods', reply)
    identity = reply.get('identity')
    known = identity if isinstance(identity, str) else None
    return Description(
        known,
        [] if known is None else [known],
        _facts(reply, 'interfaces'),
        _facts(reply, 'methods') or [],
        _facts(reply, 'events'),
        _facts(reply, 'tasks'),
    )


def merged(descriptions: Sequence[Description]) -> Description:
    """Return one description of all that several instances offer.

    Of what has the same name and version in several of them, the first one counts.
    """
    if len(descriptions) == 1:
        return descriptions[0]
    return Description(
        None,
        [identity for each in descriptions for identity in each.identities],
        _merged([each.interfaces for each in descriptions]),
        _merged([each.methods for each in descriptions]) or [],
        _merged([each.events for each in descriptions]),
        _merged([each.tasks for each in descriptions]),
    )


def _merged(lists: Sequence[list[Fact] | None]) -> list[Fact] | None:
    known = [facts for facts in lists if facts is not None]
    if not known:
        return None
    found: dict[tuple[str, str | None], Fact] = {}
    for facts in known:
        for each in facts:
            found.setdefault((each['name'], each['version']), each)
    return list(found.values())


def _facts(reply: Mapping[str, Any], key: str) -> list[Fact] | None:
    found = reply.get(key)
    if found is None:
        return None
    if not isinstance(found, list):
        raise _wrong(f'{key} as a list', found)
    return [_checked(key, each) for each in found]


def _checked(key: str, found: Any) -> Fact:
    if not isinstance(found, dict) or not isinstance(found.get('name'), str):
        raise _wrong(f'{key} with a name', found)
    # Name and version first, also in JSON; a version that was found replaces None.
    fact = {'name': found['name'], 'version': None, **found}
    fact.setdefault('help', '')
    if key == 'methods':
        fact.setdefault('params', [])
    for name, (kind, fits) in _KINDS.items():
        if name in fact and not fits(fact[name]):
            raise _wrong(f'{name} of {key} as {kind}', fact[name])
    return fact


def _wrong(expected: str, found: Any) -> OperationFailed:
    return OperationFailed(
        f'the answer to lymph.inspect is wrong: expected {expected}, found {quoted(found)}'
    )


def _owner(name: str) -> str:
    return name.rpartition('.')[0]


def _is_text(value: Any) -> bool:
    return value is None or isinstance(value, str)


def _are_texts(value: Any) -> bool:
    return value is None or (
        isinstance(value, list) and all(isinstance(each, str) for each in value)
    )


def _is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool))


def _is_schema(value: Any) -> bool:
    return value is None or isinstance(value, (dict, bool))


_TEXT = ('text', _is_text)
_TEXTS = ('a list of text', _are_texts)
_FLAG = ('true or false', _is_flag)
_COUNT = ('a number', _is_count)
_SCHEMA = ('a JSON Schema', _is_schema)

_KINDS: Mapping[str, tuple[str, Callable[[Any], bool]]] = {
    **dict.fromkeys(('version', 'help', 'returns', 'queue', 'class', 'schema_problem'), _TEXT),
    **dict.fromkeys(SCHEMAS, _SCHEMA),
    **dict.fromkeys(('params', 'raises', 'types'), _TEXTS),
    **dict.fromkeys(('takes_any', 'idempotent', 'raw', 'sequential', 'broadcast', 'once'), _FLAG),
    **dict.fromkeys(('retry', 'partitions'), _COUNT),
}
