"""Which web pages may use MCP."""

from __future__ import annotations

import pytest

from lymph.web._gateway.mcp.origins import Origins
from lymph.web._options.hosts import Hosts

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
def test_programs_and_pages_of_trusted_origins_may_use_it(origin, host):
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
def test_pages_of_other_origins_are_refused(origin, host):
    assert not CONFIGURED.allows(origin, host)


@pytest.mark.parametrize(
    ('origin', 'host', 'scheme', 'allowed'),
    [
        ('https://api.example', 'api.example', 'https', True),
        ('https://API.example:443', 'api.example', 'https', True),
        ('http://api.example:8080', 'api.example:8080', 'http', True),
        ('https://api.example', 'api.example', 'http', True),  # TLS ends in front of the server
        ('https://a.pages.example', 'a.pages.example', 'https', True),
        ('http://api.example', 'api.example', 'https', False),
        ('https://evil.example', 'api.example', 'https', False),
        ('https://evil.example', 'evil.example', 'https', False),
        ('https://api.example:8443', 'api.example', 'https', False),
        ('https://a.pages.example', 'b.pages.example', 'https', False),
        ('https://a.pages.example', 'api.example', 'https', False),
        ('https://api.example', None, 'https', False),
        ('null', 'api.example', 'https', False),
    ],
)
def test_page_of_a_host_of_the_gateway_may_use_it_under_that_host(origin, host, scheme, allowed):
    hosts = Hosts(frozenset({('api.example', None)}), frozenset({('pages.example', None)}))
    assert Origins([], hosts).allows(origin, host, scheme) is allowed
    assert not Origins().allows(origin, host, scheme)


@pytest.mark.parametrize(
    'origin',
    ['*', 'null', 'chat.example', 'https://', 'https://a/b', 'https://*', '', 5, None],
)
def test_invalid_origins_cannot_be_configured(origin):
    with pytest.raises(ValueError, match='expected an origin like'):
        Origins([origin])
