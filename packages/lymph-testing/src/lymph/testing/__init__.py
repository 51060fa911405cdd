"""Test cases, contract suites and private servers.

Each name is imported from its own module on first use. Nothing of lymph is imported before: every
run of pytest in the environment loads the pytest plugin of this package.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

_HOMES = {
    'AsyncTestsMixin': 'lymph.testing._cases.asynchronous',
    'EventMockTestCase': 'lymph.testing._mocks.event_mocks',
    'LymphIntegrationTestCase': 'lymph.testing._cases.integration',
    'MultiServiceRPCTestCase': 'lymph.testing._cases.services',
    'RPCServiceTestCase': 'lymph.testing._cases.single_service',
    'RpcMockTestCase': 'lymph.testing._mocks.rpc_mocks',
    'WebServiceTestCase': 'lymph.testing._cases.web',
    'eventually': 'lymph.testing.waiting',
}
# Packages that are not requirements of this distribution, and the extras that install them.
_EXTRAS = {'werkzeug': 'web'}

__all__ = [
    'AsyncTestsMixin',
    'EventMockTestCase',
    'LymphIntegrationTestCase',
    'MultiServiceRPCTestCase',
    'RPCServiceTestCase',
    'RpcMockTestCase',
    'WebServiceTestCase',
    'eventually',
]

if TYPE_CHECKING:
    from lymph.testing._cases.asynchronous import AsyncTestsMixin
    from lymph.testing._cases.integration import LymphIntegrationTestCase
    from lymph.testing._cases.services import MultiServiceRPCTestCase
    from lymph.testing._cases.single_service import RPCServiceTestCase
    from lymph.testing._cases.web import WebServiceTestCase
    from lymph.testing._mocks.event_mocks import EventMockTestCase
    from lymph.testing._mocks.rpc_mocks import RpcMockTestCase
    from lymph.testing.waiting import eventually
else:

    def __getattr__(name):
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        try:
            value = getattr(import_module(home), name)
        except ModuleNotFoundError as error:
            missing = (error.name or '').partition('.')[0]
            if missing not in _EXTRAS:
                raise
            raise ImportError(
                f'{__name__}.{name} needs {missing}; install lymph-testing[{_EXTRAS[missing]}]'
            ) from error
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES})
