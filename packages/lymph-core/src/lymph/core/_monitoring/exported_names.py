"""Names and tags of metrics as Prometheus takes them: letters, digits and underscores."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from lymph.core.monitoring.descriptions import MetricDescription

__all__ = ['Labels', 'described_name', 'exported_labels', 'plain_name']

#: names and values of labels, sorted by name; labels without a text are not among them
Labels = tuple[tuple[str, str], ...]

_PREFIX: Final = 'lymph_'
_OTHERS: Final = re.compile('[^a-zA-Z0-9_]')


def plain_name(name: str) -> str:
    """Return a name with underscores for all other characters: ``orders_placed``.

    It begins with a letter or one underscore; Prometheus keeps two of them for itself.
    """
    plain = _OTHERS.sub('_', name)
    if plain.startswith('__'):
        plain = '_' + plain.lstrip('_')
    return plain if plain and not plain[0].isdigit() else f'_{plain}'


def described_name(described: MetricDescription) -> str:
    """Return the name of a described metric, without the suffix of its kind."""
    if described.exported:
        return plain_name(described.exported)
    name = _PREFIX + plain_name(described.name)
    unit = described.unit
    return name if not unit or name.endswith(f'_{unit}') else f'{name}_{plain_name(unit)}'


def exported_labels(tags: Mapping[str, object]) -> Labels | None:
    """Return tags as labels; None if two of them get the same name.

    A tag that is None or an empty text is left out, which means the same to Prometheus.
    """
    labels = {_label_name(name): _text(value) for name, value in tags.items()}
    if len(labels) < len(tags):
        return None
    return tuple(sorted([label for label in labels.items() if label[1]]))


#: there are few names, and many tags with them
_label_name = lru_cache(maxsize=1024)(plain_name)


def _text(value: object) -> str:
    if isinstance(value, str):
        # lone surrogates, as in file names, cannot be sent
        return value if value.isascii() else value.encode(errors='backslashreplace').decode()
    if value is None:
        return ''
    if isinstance(value, bool):
        return 'true' if value else 'false'
    return _text(str(value))
