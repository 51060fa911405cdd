"""References to Python objects: `pkg.mod:Name`, or the same with a dot.

Whoever owns a namespace may know which distributions provide the packages in it. It publishes them
in the entry-point group `lymph.packages`: an entry point that leads to a mapping of packages to
distributions. Whoever names a package of a distribution that is not installed is told to install
it.
"""

from __future__ import annotations

import importlib
import os
import re
import sys
from types import ModuleType
from typing import TYPE_CHECKING

from lymph.config.distributions import entry_points
from lymph.config.exceptions import PluginError
from lymph.config.lazy import lazy
from lymph.config.places import noted
from lymph.config.printable import printable, quoted
from lymph.config.suggestions import close_names

if TYPE_CHECKING:
    from lymph.config._values.locations import Location

__all__ = ['PACKAGES', 'is_reference', 'load_reference', 'split_reference']

#: The entry-point group of mappings of packages to the distributions that provide them.
PACKAGES = 'lymph.packages'

_QUOTED = 200  # characters that an error quotes of a reference
#: What `from a import b` says of a missing b; an attribute has it only from Python 3.12 on.
_CANNOT_IMPORT = re.compile(r"cannot import name '(\w+)'")

_logger = lazy('logging:getLogger')


def is_reference(text: str) -> bool:
    """Return whether text is meant as a reference, not as a plain name: it has a colon or a dot."""
    return ':' in text or '.' in text


def split_reference(reference: str) -> tuple[str, str]:
    """Return the name of the module and the name in it, which may have dots.

    Raises ValueError for text that is not a reference, and for the name of a file.
    """
    module, separator, name = reference.partition(':')
    if not separator:
        module, _, name = reference.rpartition('.')
    segments = [*module.split('.'), *name.split('.')]
    if not all(segment.isidentifier() for segment in segments):
        raise ValueError(f'{quoted(reference, _QUOTED)} is not of the form package.module:Name')
    if separator and module.endswith('.py'):
        raise ValueError(
            f'{quoted(reference, _QUOTED)} names a file; name its module, '
            f'{quoted(f"{module[:-3]}:{name}", _QUOTED)}'
        )
    return module, name


def load_reference(reference: str, *, where: Location | str | None = None) -> object:
    """Return the object that a reference names; its module is imported.

    `where` is the place that errors begin with.

    Raises PluginError if the text is not a reference, the module does not exist, the name is not in
    it, or the module imports a package that is known to belong to a distribution which is not
    installed (see `PACKAGES`). Whatever else the module raises while it is imported passes
    unchanged.
    """
    try:
        module_name, name = split_reference(reference)
    except ValueError as error:
        raise PluginError(str(error), where) from error
    with noted(where, f'importing {quoted(reference, _QUOTED)}'):
        module = _import(module_name, reference, where)
        found: object = module
        for segment in name.split('.'):
            try:
                found = getattr(found, segment)
            except AttributeError as error:
                advice = close_names(segment, dir(found)) or '; check the name'
                # This may be another module, which hides the one that was meant.
                if found is module:
                    advice = _advice_on_hidden(module_name) or advice
                raise PluginError(
                    f'{quoted(reference, _QUOTED)}: no {quoted(segment)} in '
                    f'{_name_of(found)}{advice}',
                    where,
                ) from error
    return found


def _import(module: str, reference: str, where: Location | str | None) -> ModuleType:
    """Import a module. Raises PluginError as `load_reference` does, and what the module raises."""
    try:
        return importlib.import_module(module)
    except (ImportError, AttributeError) as error:
        missing = _missing_module(error)
        if not (isinstance(error, ModuleNotFoundError) and _is_inside(module, missing)):
            # The module exists; something that it imports does not.
            owner = _absent_provider(missing, missing)
            if owner is None:
                raise
            text = (
                f'{quoted(reference, _QUOTED)} needs {missing}, which is provided by {owner}; '
                f'install it: pip install {owner}'
            )
            raise PluginError(text, where) from error
        owner = _absent_provider(module, missing)
        if owner:
            text = f'{quoted(reference, _QUOTED)} is provided by {owner}, which is not installed'
        else:
            advice = _advice_on_hidden(module) or (
                '; check its name, and that it is installed or on PYTHONPATH'
            )
            text = f'{quoted(reference, _QUOTED)}: no module {quoted(missing)}{advice}'
        raise PluginError(text, where) from error


def _missing_module(error: ImportError | AttributeError) -> str:
    """Return the module that `import a.b`, `from a import b` or `a.b` did not find, or ''."""
    if isinstance(error, AttributeError):
        package = getattr(error.obj, '__name__', '') if isinstance(error.obj, ModuleType) else ''
        return f'{package}.{error.name}'
    if isinstance(error, ModuleNotFoundError):
        return error.name or ''
    name = _CANNOT_IMPORT.match(error.msg or '')
    return f'{error.name}.{name[1]}' if name else ''


def _advice_on_hidden(module: str) -> str:
    """Return advice if an installed module hides one of the current folder, or ''."""
    name = module.partition('.')[0]
    if name not in sys.modules:
        return ''  # nothing hides it: the folder is not on sys.path
    found = getattr(sys.modules[name], '__file__', None) or 'a part of Python'
    for candidate in (f'{name}.py', os.path.join(name, '__init__.py')):
        if os.path.exists(candidate) and os.path.abspath(candidate) != os.path.abspath(found):
            return f'; {candidate} of this folder is hidden by {found}, rename it'
    return ''


def _absent_provider(module: str, missing: str) -> str | None:
    """Return the distribution that provides a module, if all of the module's package is missing.

    If the package is there and only a module in it is missing, its distribution is installed.
    """
    for package, distribution in _known_packages().items():
        if _is_inside(module, package) and _is_inside(package, missing):
            return distribution
    return None


def _known_packages() -> dict[str, str]:
    """Return the packages that installed distributions know, with the distributions of these."""
    found: dict[str, str] = {}
    for entry in entry_points(PACKAGES):
        try:
            # Not by load_reference, which comes here when a module is missing.
            module, name = split_reference(entry.value)
            known = dict(getattr(importlib.import_module(module), name))
            found |= {str(package): str(provider) for package, provider in known.items()}
        except KeyboardInterrupt:
            raise
        except BaseException:  # noqa: BLE001 - of others; the error to show is the reference's
            _logger(__name__).debug('packages of %s', printable(entry.distribution), exc_info=True)
    return found


def _is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + '.')


def _name_of(container: object) -> str:
    if isinstance(container, ModuleType):
        return f'module {container.__name__!r}'
    return f'{getattr(container, "__qualname__", container)!r}'
