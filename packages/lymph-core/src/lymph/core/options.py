"""Which keys a section of the configuration may have: a misspelt one is an error, not a default."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from lymph.config import ConfigView

__all__ = ['refuse_near_misses', 'refuse_unknown']

# As `difflib` measures it: one or two slips in a long name. A shorter name may be a user's own.
_ALIKE = 0.9
_SHORTEST = 8  # characters
_LONGEST = 60


def refuse_unknown(config: ConfigView, known: Collection[str], *, plain: bool = False) -> None:
    """Raise ConfigurationError for the first key of `config` that is not known.

    `class` is known, unless the section is `plain`: it does not describe an object.
    """
    for key in config:
        if key not in known and (plain or key != 'class'):
            close = difflib.get_close_matches(key, sorted(known), n=1)
            advice = f'did you mean {close[0]!r}?' if close else 'remove it'
            listed = ', '.join(sorted(known)) or 'none'
            raise config.error([key], f'unknown option (there are: {listed}); {advice}')


def refuse_near_misses(config: ConfigView, known: Collection[str]) -> None:
    """Raise ConfigurationError for a key of `config` that is almost one of those that lymph reads.

    For sections whose other keys are a user's own: what is meant for lymph would be ignored.
    """
    names = [name for name in known if len(name) >= _SHORTEST]
    for key in config:
        if key not in known and _SHORTEST <= len(key) <= _LONGEST:
            close = difflib.get_close_matches(key, names, n=1, cutoff=_ALIKE)
            if close:
                raise config.error(
                    [key],
                    f'unknown option; did you mean {close[0]!r}? '
                    'An option of your own needs a name that is less alike',
                )
