"""Configuration files, the plugins they name, and the base class of all errors of lymph.

Each name is imported from its own module on first use: a command that only raises an error, or
looks up a plugin, does not import PyYAML.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__all__ = [
    'ConfigView',
    'Configuration',
    'ConfigurationError',
    'Location',
    'LymphError',
    'MissingKeyError',
    'PluginError',
    'Position',
]

_HOMES = {
    'ConfigView': 'lymph.config._views.views',
    'Configuration': 'lymph.config._views.configuration',
    'ConfigurationError': 'lymph.config.exceptions',
    'Location': 'lymph.config._values.locations',
    'LymphError': 'lymph.config.exceptions',
    'MissingKeyError': 'lymph.config.exceptions',
    'PluginError': 'lymph.config.exceptions',
    'Position': 'lymph.config._values.locations',
}

if TYPE_CHECKING:
    from lymph.config._values.locations import Location, Position
    from lymph.config._views.configuration import Configuration
    from lymph.config._views.views import ConfigView
    from lymph.config.exceptions import (
        ConfigurationError,
        LymphError,
        MissingKeyError,
        PluginError,
    )
else:

    def __getattr__(name):
        home = _HOMES.get(name)
        if home is not None:
            value = getattr(import_module(home), name)
        elif name.startswith('_'):
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        else:
            # `lymph.config.plugins` works after a mere `import lymph.config`.
            try:
                value = import_module(f'{__name__}.{name}')
            except ModuleNotFoundError as error:
                if error.name != f'{__name__}.{name}':
                    raise
                raise AttributeError(f'module {__name__!r} has no attribute {name!r}') from None
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES})
