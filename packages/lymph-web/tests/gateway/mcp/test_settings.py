"""The section `mcp` of a gateway."""

from __future__ import annotations

from typing import Any

import pytest

from lymph.config import Configuration, ConfigurationError
from lymph.web._gateway.allowed import Allowed
from lymph.web._gateway.mcp.settings import McpSettings


def read(mcp: Any, allow: list[str]) -> McpSettings | None:
    return McpSettings.from_config(Configuration({'mcp': mcp}).view(()), Allowed.of(allow))


@pytest.mark.parametrize(
    ('methods', 'allow'),
    [
        (['shop.order'], ['shop.order']),
        (['shop.order'], ['shop.*']),
        (['shop.*'], ['shop.*', 'echo.*']),
        (['shop.*', 'echo.upper'], ['*.*']),
        (['*.*'], ['*.*']),
        (['lymph.ping'], ['lymph.ping']),
    ],
)
def test_methods_that_the_gateway_allows_can_be_chosen(methods, allow):
    settings = read({'methods': methods}, allow)
    assert settings is not None
    assert settings.chosen == Allowed.of(methods)


@pytest.mark.parametrize(
    ('methods', 'allow'),
    [
        (['shop.order', 'shop.pay'], ['shop.order']),
        (['shop.order', 'shop.*'], ['shop.order']),
        (['shop.order', '*.*'], ['shop.*']),
        (['shop.order', 'lymph.ping'], ['*.*']),
    ],
)
def test_methods_that_the_gateway_does_not_allow_are_rejected(methods, allow):
    with pytest.raises(ConfigurationError, match=r"mcp\.methods\.1: .*'allow'.* add it there"):
        read({'methods': methods}, allow)


@pytest.mark.parametrize(
    ('mcp', 'text'),
    [
        ({'enable': True}, r"mcp\.enable: .*did you mean 'enabled'"),
        ({'enabled': 1}, r'mcp\.enabled: expected'),
        ({'methods': []}, r'mcp\.methods: expected'),
        ({'methods': ['shop']}, r'mcp\.methods\.0: expected'),
        ({'origins': 'https://a'}, r'mcp\.origins: expected'),
        ({'origins': ['https://a', 'b']}, r'mcp\.origins\.1: expected an origin'),
        (['shop.order'], r'mcp: expected'),
    ],
)
def test_invalid_values_are_errors(mcp, text):
    with pytest.raises(ConfigurationError, match=text):
        read(mcp, ['shop.*'])


def test_pages_that_cors_allows_may_use_mcp_unless_others_are_named():
    def allows(**mcp: Any) -> bool:
        section = {'mcp': {'enabled': True, **mcp}, 'cors': {'origins': ['*', 'https://a.example']}}
        settings = McpSettings.from_config(Configuration(section).view(()), Allowed.of(['shop.*']))
        assert settings is not None
        assert not settings.origins.allows('https://b.example', 'api.example')
        return settings.origins.allows('https://a.example', 'api.example')

    assert allows()
    assert not allows(origins=[])
    assert not allows(origins=['https://c.example'])


def test_pages_of_the_hosts_of_the_gateway_may_use_mcp():
    def allows(**section: Any) -> bool:
        view = Configuration({'mcp': {'enabled': True}, **section}).view(())
        settings = McpSettings.from_config(view, Allowed.of(['shop.*']))
        assert settings is not None
        return settings.origins.allows('http://api.example', 'api.example', 'http')

    assert allows(hosts=['api.example'])
    assert not allows(hosts=['other.example'])
    assert not allows()
