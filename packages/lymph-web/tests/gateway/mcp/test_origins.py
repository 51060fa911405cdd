"""Which web pages may use MCP."""

from __future__ import annotations

import pytest

from lymph.web._gateway.mcp.origins import Origins

CONFIGURED = Origins(['https://chat.example', 'HTTP://Dev.Example:8080', 'https://*.apps.example'])


@pytest.mark.parametrize(
    ('origin', 'host'),
    [
        (None, None),
        (None, 'anything'),
        ('http://127.0.0.1:8080', '127.0.0.1:8080'),
        ('http://127.0.0.1', '127.0.0.1:80'),
        ('https://10.0.0.1', '10.0.0.1'),
        ('http://[::1]:8080', '[::1]:8080'),
        ('http://localhost:8080', 'localhost:8080'),
        ('http://app.localhost', 'app.localhost'),
        ('https://chat.example', 'api.example'),
        ('https://CHAT.example', 'api.example'),
        ('http://dev.example:8080', 'api.example'),
        ('https://a.b.apps.example', 'api.example'),
    ],
)
def test_no_page_or_a_trusted_one_may_use_it(origin, host):
    assert CONFIGURED.allows(origin, host)


@pytest.mark.parametrize(
    ('origin', 'host'),
    [
        ('null', '127.0.0.1'),
        ('', '127.0.0.1'),
        ('http://evil.example', '127.0.0.1'),
        ('http://evil.example:8080', 'evil.example:8080'),  # DNS rebinding
        ('http://127.0.0.1:8081', '127.0.0.1:8080'),
        ('http://127.0.0.1.evil.example', '127.0.0.1.evil.example'),
        ('http://localhost.evil.example', 'localhost.evil.example'),
        ('http://localhost', None),
        ('http://chat.example', 'api.example'),
        ('https://chat.example.evil.example', 'api.example'),
        ('https://chat.example@evil.example', 'api.example'),
        ('https://evil.example/https://chat.example', 'api.example'),
        ('https://chat.example/', 'api.example'),
        ('https://chat.example, https://evil.example', 'api.example'),
        ('file://', 'api.example'),
        ('http://[::1', '[::1'),
        ('http://127.0.0.1:x', '127.0.0.1:x'),
        ('chrome-extension://abc', 'abc'),
    ],
)
def test_other_pages_may_not(origin, host):
    assert not CONFIGURED.allows(origin, host)


@pytest.mark.parametrize(
    'origin',
    ['*', 'null', 'chat.example', 'https://', 'https://a/b', 'https://*', '', 5, None],
)
def test_invalid_origins_cannot_be_configured(origin):
    with pytest.raises(ValueError, match='expected an origin like'):
        Origins([origin])
