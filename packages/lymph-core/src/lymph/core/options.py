"""Which keys a section of the configuration may have: a misspelt one is an error, not a default."""

from __future__ import annotations

import difflib
from collections.abc import Collection

from lymph.config import ConfigView

__all__ = ['refuse_unknown']


def refuse_unknown(config: ConfigView, known: Collection[str]) -> None:
    """Raise ConfigurationError for the first key of `config` that is neither `class` nor known."""
    for key in config:
        if key != 'class' and key not in known:
            close = difflib.get_close_matches(key, sorted(known), n=1)
            advice = f'did you mean {close[0]!r}?' if close else 'remove it'
            listed = ', '.join(sorted(known)) or 'none'
            raise config.error([key], f'unknown option (there are: {listed}); {advice}')
