"""The names that authors of services use; each is imported from its module on first use.

This is the only `__init__.py` of the namespace; other distributions add packages to it. Nothing of
lymph is imported here, so ``import lymph`` is fast and does not load gevent.
"""

from __future__ import annotations

from importlib import import_module
from pkgutil import extend_path
from typing import TYPE_CHECKING

__path__ = extend_path(__path__, __name__)

_HOMES = {
    'AsyncResult': 'lymph.core._loop.results',
    'Cancelled': 'lymph.exceptions',
    'ConfigurationError': 'lymph.exceptions',
    'ConnectionLost': 'lymph.exceptions',
    'EmitFailure': 'lymph.exceptions',
    'Event': 'lymph.core.events',
    'EventRejected': 'lymph.exceptions',
    'EventTooLarge': 'lymph.exceptions',
    'Expired': 'lymph.exceptions',
    'Failed': 'lymph.exceptions',
    'Interceptor': 'lymph.core.interceptors',
    'Interface': 'lymph.core.interfaces',
    'LookupFailure': 'lymph.exceptions',
    'LymphError': 'lymph.exceptions',
    'MissingKeyError': 'lymph.exceptions',
    'Nack': 'lymph.exceptions',
    'NotConnected': 'lymph.exceptions',
    'NotSent': 'lymph.exceptions',
    'Plugin': 'lymph.core.plugins',
    'PluginError': 'lymph.exceptions',
    'Proxy': 'lymph.core._declaring.proxies',
    'Refused': 'lymph.exceptions',
    'RegistrationFailure': 'lymph.exceptions',
    'RemoteError': 'lymph.exceptions',
    'ReplyChannel': 'lymph.core.channels',
    'ResourceError': 'lymph.exceptions',
    'RpcError': 'lymph.exceptions',
    'SerializationError': 'lymph.exceptions',
    'Service': 'lymph.core.interfaces',
    'SubscriptionError': 'lymph.exceptions',
    'Timeout': 'lymph.exceptions',
    'Work': 'lymph.core.interceptors',
    'WrongThread': 'lymph.exceptions',
    'defer': 'lymph.core._declaring.typed_calls',
    'event': 'lymph.core.decorators',
    'given_up': 'lymph.core.cancellation',
    'proxy': 'lymph.core._declaring.proxy_declarations',
    'raw_rpc': 'lymph.core.decorators',
    'resource': 'lymph.core.resources',
    'rpc': 'lymph.core.decorators',
    'task': 'lymph.core.decorators',
    'with_options': 'lymph.core._declaring.typed_calls',
}

_DISTRIBUTION = 'lymph-core'  # the version of which is `__version__`

if TYPE_CHECKING:
    __version__: str

    from lymph.core._declaring.proxies import Proxy as Proxy
    from lymph.core._declaring.proxy_declarations import proxy as proxy
    from lymph.core._declaring.typed_calls import defer as defer
    from lymph.core._declaring.typed_calls import with_options as with_options
    from lymph.core._loop.results import AsyncResult as AsyncResult
    from lymph.core.cancellation import given_up as given_up
    from lymph.core.channels import ReplyChannel as ReplyChannel
    from lymph.core.decorators import event as event
    from lymph.core.decorators import raw_rpc as raw_rpc
    from lymph.core.decorators import rpc as rpc
    from lymph.core.decorators import task as task
    from lymph.core.events import Event as Event
    from lymph.core.interceptors import Interceptor as Interceptor
    from lymph.core.interceptors import Work as Work
    from lymph.core.interfaces import Interface as Interface
    from lymph.core.interfaces import Service as Service
    from lymph.core.plugins import Plugin as Plugin
    from lymph.core.resources import resource as resource
    from lymph.exceptions import (
        Cancelled as Cancelled,
    )
    from lymph.exceptions import (
        ConfigurationError as ConfigurationError,
    )
    from lymph.exceptions import (
        ConnectionLost as ConnectionLost,
    )
    from lymph.exceptions import (
        EmitFailure as EmitFailure,
    )
    from lymph.exceptions import (
        EventRejected as EventRejected,
    )
    from lymph.exceptions import (
        EventTooLarge as EventTooLarge,
    )
    from lymph.exceptions import (
        Expired as Expired,
    )
    from lymph.exceptions import (
        Failed as Failed,
    )
    from lymph.exceptions import (
        LookupFailure as LookupFailure,
    )
    from lymph.exceptions import (
        LymphError as LymphError,
    )
    from lymph.exceptions import (
        MissingKeyError as MissingKeyError,
    )
    from lymph.exceptions import (
        Nack as Nack,
    )
    from lymph.exceptions import (
        NotConnected as NotConnected,
    )
    from lymph.exceptions import (
        NotSent as NotSent,
    )
    from lymph.exceptions import (
        PluginError as PluginError,
    )
    from lymph.exceptions import (
        Refused as Refused,
    )
    from lymph.exceptions import (
        RegistrationFailure as RegistrationFailure,
    )
    from lymph.exceptions import (
        RemoteError as RemoteError,
    )
    from lymph.exceptions import (
        ResourceError as ResourceError,
    )
    from lymph.exceptions import (
        RpcError as RpcError,
    )
    from lymph.exceptions import (
        SerializationError as SerializationError,
    )
    from lymph.exceptions import (
        SubscriptionError as SubscriptionError,
    )
    from lymph.exceptions import (
        Timeout as Timeout,
    )
    from lymph.exceptions import (
        WrongThread as WrongThread,
    )
else:

    def __getattr__(name):
        home = _HOMES.get(name)
        if name == '__version__':
            value = _version()
        elif home is not None:
            value = getattr(import_module(home), name)
        else:
            if name.startswith('_'):
                raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
            # subpackages (lymph.core, lymph.config, ...) are imported when they are first used
            try:
                return import_module(f'{__name__}.{name}')
            except ModuleNotFoundError as error:
                if error.name != f'{__name__}.{name}':
                    raise
            close = import_module('lymph.config.suggestions').close_name(name, _HOMES)
            advice = f'; did you mean lymph.{close}?' if close else ''
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}{advice}')
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_HOMES, '__version__'})

    def _version():
        metadata = import_module('importlib.metadata')  # slower than all other imports here
        try:
            return metadata.version(_DISTRIBUTION)
        except metadata.PackageNotFoundError as error:
            text = f'lymph has no version: the distribution {_DISTRIBUTION} is not installed'
            raise AttributeError(text) from error
