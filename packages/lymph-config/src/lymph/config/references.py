"""References to Python objects: `pkg.mod:Name`, or the same with a dot."""

from __future__ import annotations

import importlib
import os
import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from lymph.config.exceptions import PluginError
from lymph.config.places import noted
from lymph.config.printable import quoted
from lymph.config.suggestions import close_names

if TYPE_CHECKING:
    from lymph.config._values.locations import Location

__all__ = ['is_reference', 'load_reference', 'split_reference']

#: Lymph's packages and modules, and the distributions that own them.
_PROVIDERS = {
    **dict.fromkeys(
        (
            'lymph.client',
            'lymph.core',
            'lymph.discovery.base',
            'lymph.discovery.embedded',
            'lymph.discovery.static',
            'lymph.events.base',
            'lymph.events.embedded',
            'lymph.events.local',
            'lymph.events.null',
            'lymph.exceptions',
            'lymph.monkey',
            'lymph.patterns',
            'lymph.serializers',
        ),
        'lymph-core',
    ),
    'lymph.cli': 'lymph-cli',
    'lymph.discovery.zookeeper': 'lymph-discovery-zk',
    'lymph.events.kombu': 'lymph-events-kombu',
    'lymph.services.node': 'lymph-cli',
    'lymph.testing': 'lymph-testing',
    'lymph.web': 'lymph-web',
}
#: What `from a import b` says of a missing b; Python 3.12 has it as an attribute.
_CANNOT_IMPORT = re.compile(r"cannot import name '(\w+)'")


def is_reference(text: str) -> bool:
    """Tell a reference from a plain name: it contains a colon or a dot."""
    return ':' in text or '.' in text


def split_reference(reference: str) -> tuple[str, str]:
    """Return the names of the module and of what is in it.

    Raises ValueError for text that is no reference.
    """
    module, separator, name = reference.partition(':')
    if not separator:
        module, _, name = reference.rpartition('.')
    segments = [*module.split('.'), *name.split('.')]
    if not all(segment.isidentifier() for segment in segments):
        raise ValueError(f'{quoted(reference, 200)} is not of the form package.module:Name')
    if separator and module.endswith('.py'):
        raise ValueError(
            f'{quoted(reference, 200)} names a file; name its module, '
            f'{quoted(f"{module[:-3]}:{name}", 200)}'
        )
    return module, name


def load_reference(reference: str, *, where: Location | str | None = None) -> object:
    """Return the object that a reference names, importing its module.

    `where` is the place that errors begin with.

    Raises PluginError if the text is no reference, the module does not exist, the name is not in
    it, or the module imports a part of lymph that is not installed. Whatever else the module raises
    while it is imported passes unchanged.
    """
    try:
        module_name, name = split_reference(reference)
    except ValueError as error:
        raise PluginError(str(error), where) from error
    with noted(where, f'importing {quoted(reference, 200)}'):
        module = _import(module_name, reference, where)
        found: object = module
        for segment in name.split('.'):
            try:
                found = getattr(found, segment)
            except AttributeError as error:
                advice = close_names(segment, dir(found)) or '; check the name'
                if found is module:
                    advice = _advice_on_hidden(module_name) or advice
                raise PluginError(
                    f'{quoted(reference, 200)}: no {quoted(segment)} in {_name_of(found)}{advice}',
                    where,
                ) from error
    return found


def _import(module: str, reference: str, where: Location | str | None) -> ModuleType:
    try:
        return importlib.import_module(module)
    except (ImportError, AttributeError) as error:
        missing = _missing_module(error)
        if not (isinstance(error, ModuleNotFoundError) and _is_inside(module, missing)):
            # The module is there; something that it imports is not.
            owner = _absent_provider(missing, missing)
            if owner is None:
                raise
            text = (
                f'{quoted(reference, 200)} needs {missing}, which is provided by {owner}; '
                f'install it: pip install {owner}'
            )
            raise PluginError(text, where) from error
        owner = _absent_provider(module, missing)
        if owner:
            text = f'{quoted(reference, 200)} is provided by {owner}, which is not installed'
        else:
            advice = _advice_on_hidden(module) or (
                '; check its name, and that it is installed or on PYTHONPATH'
            )
            text = f'{quoted(reference, 200)}: no module {quoted(missing)}{advice}'
        raise PluginError(text, where) from error


def _missing_module(error: ImportError | AttributeError) -> str:
    """Return the module that was not found by `import a.b`, `from a import b` or `a.b`, or ''."""
    if isinstance(error, AttributeError):
        package = getattr(error.obj, '__name__', '') if isinstance(error.obj, ModuleType) else ''
        return f'{package}.{error.name}'
    if isinstance(error, ModuleNotFoundError):
        return error.name or ''
    name = _CANNOT_IMPORT.match(error.msg or '')
    return f'{error.name}.{name[1]}' if name else ''


def _advice_on_hidden(module: str) -> str:
    """Return advice if a module of the current folder is hidden by an installed one, or ''."""
    name = module.partition('.')[0]
    found = getattr(sys.modules.get(name), '__file__', None) or 'a part of Python'
    for candidate in (f'{name}.py', os.path.join(name, '__init__.py')):
        if os.path.exists(candidate) and os.path.abspath(candidate) != os.path.abspath(found):
            return f'; {candidate} of this folder is hidden by {found}, rename it'
    return ''


def _absent_provider(module: str, missing: str) -> str | None:
    """Return the distribution that would bring a module, if the package it owns is missing."""
    for package, distribution in _PROVIDERS.items():
        if _is_inside(module, package) and _is_inside(package, missing):
            return distribution
    return None


def _is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + '.')


def _name_of(container: object) -> str:
    if isinstance(container, ModuleType):
        return f'module {container.__name__!r}'
    return f'{getattr(container, "__qualname__", container)!r}'
