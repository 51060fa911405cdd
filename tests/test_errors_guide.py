"""docs/errors.md shows a section that works, and all keys of it."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from lymph.config import Configuration
from lymph.plugins._sentry.settings import _KEYS, ReportingSettings

GUIDE = (Path(__file__).parents[1] / 'docs' / 'errors.md').read_text()


def test_section_of_the_guide_is_valid():
    found = re.search(r'^```yaml\n(.*?)^```', GUIDE, re.MULTILINE | re.DOTALL)
    assert found
    section = Configuration(yaml.safe_load(found[1])).view(['plugins', 'sentry'])
    settings = ReportingSettings.from_config(section)
    assert settings.environment == 'production'
    assert settings.dsn.endswith('/5')


def test_guide_has_all_keys_of_the_section():
    table = GUIDE.partition('| key |')[2]
    assert re.findall(r'^\| `(\w+)` \|', table, re.MULTILINE) == [*_KEYS]
