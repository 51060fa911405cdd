"""The README lists the keys of an interface's section: all of them, with their ranges."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.core.assembly import build_container
from lymph.web._http.limits import Limits
from lymph.web._options.collected import KEYS

README = (Path(__file__).parents[1] / 'README.md').read_text()
SECTION = README.partition('\n## Configuration\n')[2].partition('\n## ')[0]
ROWS = {
    key: (span, default)
    for key, span, default in re.findall(
        r'^\| `([\w.]+)` \| (.+?) \| (.*?) ?\| .+ \|$', SECTION, re.MULTILINE
    )
    if not key.startswith('tracing.')
}
RANGES = {
    key: (found[1], found[2])
    for key, (span, _) in ROWS.items()
    if (found := re.fullmatch(r'([\d.]+) to ([\d.,^]+)', span))
}
BASE = {
    'registry': {'class': 'static'},
    'events': {'class': 'null'},
    'rpc': {'transport': 'memory'},
}


def take(key: str, value: float) -> None:
    """Configure an interface with one key; raises ConfigurationError if that is refused."""
    section: dict[str, object] = {'class': 'lymph.web:WebServiceInterface'}
    if key.startswith('tls.'):
        section['tls'] = {'certificate': '/c.pem', key.removeprefix('tls.'): value}
    else:
        section[key] = value
    build_container(Configuration({'container': BASE, 'interfaces': {'web': section}})).stop()


def number(text: str) -> float:
    base, _, power = text.replace(',', '').partition('^')
    return float(base) if '.' in base else int(base) ** int(power or 1)


def test_readme_lists_every_key_and_no_other():
    assert {key.partition('.')[0] for key in ROWS} == set(KEYS)


@pytest.mark.parametrize('key', RANGES)
def test_range_of_a_number_is_as_the_readme_says(key):
    least, most = map(number, RANGES[key])
    for value in (least, most):
        take(key, value)
    for value in (least - 1 if isinstance(least, int) else least / 2, most + 1):
        with pytest.raises(ConfigurationError):
            take(key, value)


def test_defaults_of_limits_are_as_the_readme_says():
    limits = vars(Limits())
    assert limits.keys() <= ROWS.keys()
    for key, value in limits.items():
        default = ROWS[key][1]
        assert value == (None if default == 'no limit' else number(default)), key
