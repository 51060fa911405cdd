"""Rejecting unknown keys in a section of the configuration, so that a typo is not ignored."""

from __future__ import annotations

from collections.abc import Collection

from lymph.config import ConfigView
from lymph.config.suggestions import close_name

__all__ = ['refuse_near_misses', 'refuse_unknown']

# A ratio of `difflib`: one or two typos in a long name. Shorter names may be a user's own.
_ALIKE = 0.9
_SHORTEST = 8  # characters


def refuse_unknown(config: ConfigView, known: Collection[str], *, plain: bool = False) -> None:
    """Raise ConfigurationError for the first key of `config` that is not in `known`.

    The key `class` is allowed too, unless the section is `plain`: one that describes no object.
    """
    for key in config:
        if key not in known and (plain or key != 'class'):
            close = close_name(key, known)
            advice = f'did you mean {close!r}?' if close else 'remove it'
            listed = ', '.join(sorted(known)) or 'none'
            raise config.error([key], f'unknown option (there are: {listed}); {advice}')


def refuse_near_misses(config: ConfigView, known: Collection[str]) -> None:
    """Raise ConfigurationError for a key of `config` that is probably a typo of one in `known`.

    For sections where users have keys of their own, so that unknown keys cannot be rejected.
    """
    names = [name for name in known if len(name) >= _SHORTEST]
    for key in config:
        if key not in known and len(key) >= _SHORTEST:
            close = close_name(key, names, _ALIKE)
            if close:
                raise config.error(
                    [key],
                    f'unknown option; did you mean {close!r}? '
                    'An option of your own needs a name that is less alike',
                )
