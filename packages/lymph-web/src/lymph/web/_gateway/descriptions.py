"""The answers to `lymph.inspect`, checked: other processes have written them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from lymph.exceptions import SerializationError
from lymph.web._gateway.allowed import split_name
from lymph.web._gateway.json_values import as_json

__all__ = ['AllowedMethod', 'VersionFacts', 'read_description']

_DOC: Final = 16_000  # characters of a docstring that are kept
_NAME: Final = 200  # characters of a name of a class, or of the text about a schema
_RAISES: Final = 100  # declared errors of a method

Schema = dict[str, Any]


@dataclass(frozen=True)
class AllowedMethod:
    """An allowed method that exists now.

    `parameters` is the JSON Schema (2020-12) of the object with its arguments, `result` that of its
    result; ``{}`` where nothing is known. `raises` are the names of the errors that it declares.
    `versions` are all versions that instances have now, the newest last; `version` is the one that
    the rest describes: of those that serve calls without a version, the oldest.
    """

    interface: str
    name: str
    version: str | None = None
    versions: tuple[str | None, ...] = ()
    doc: str = ''
    parameters: Schema = field(default_factory=dict)
    result: Schema = field(default_factory=dict)
    raises: tuple[str, ...] = ()
    idempotent: bool = False
    #: whether calls that nobody waits for are cancelled
    cancel: bool = False
    schema_problem: str | None = None

    @property
    def full_name(self) -> str:
        """The name as callers write it, ``interface.method``."""
        return f'{self.interface}.{self.name}'


@dataclass(frozen=True)
class VersionFacts:
    """What an instance says about one version of an interface: its methods, its docstring."""

    methods: dict[str, AllowedMethod]
    doc: str = ''
    complete: bool = True  # False if schemas were not made yet


def read_description(reply: Any, interface: str, version: str | None) -> VersionFacts:
    """Return what a reply says about one version of an interface; what is malformed is left out."""
    methods = {}
    complete = True
    for each in _maps(reply, 'methods'):
        if each.get('version') != version:
            continue
        parts = split_name(_text(each.get('name'), _NAME))
        if parts is None or parts[0] != interface:
            continue
        method = _method(each, parts[1], interface, version)
        complete = complete and not (method.schema_problem or '').endswith('ask again')
        methods[parts[1]] = method
    docs = [
        _text(each.get('help'), _DOC)
        for each in _maps(reply, 'interfaces')
        if each.get('name') == interface and each.get('version') == version
    ]
    return VersionFacts(methods, docs[0] if docs else '', complete)


def _method(facts: dict[str, Any], name: str, interface: str, version: str | None) -> AllowedMethod:
    raises = facts.get('raises')
    known = [each for each in raises if isinstance(each, str)] if isinstance(raises, list) else []
    problem = facts.get('schema_problem')
    return AllowedMethod(
        interface,
        name,
        version,
        (version,),
        doc=_text(facts.get('help'), _DOC),
        parameters=_schema(facts.get('parameters_schema')),
        result=_schema(facts.get('result_schema')),
        raises=tuple(each[:_NAME] for each in known[:_RAISES]),
        idempotent=facts.get('idempotent') is True,
        cancel=facts.get('cancel') is True,
        schema_problem=_text(problem, _NAME) or None,
    )


def _maps(reply: Any, key: str) -> Iterator[dict[str, Any]]:
    found = reply.get(key) if isinstance(reply, dict) else None
    for each in found if isinstance(found, list) else ():
        if isinstance(each, dict):
            yield each


def _schema(found: Any) -> Schema:
    try:
        schema: Schema = as_json(found) if isinstance(found, dict) else {}
    except SerializationError:  # not by a lymph that describes itself
        return {}
    return schema


def _text(found: Any, limit: int) -> str:
    return found[:limit] if isinstance(found, str) else ''
