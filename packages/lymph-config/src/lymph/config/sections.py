"""The top-level sections of a configuration that lymph reads, and names mistaken for them.

==============  ====================================================================================
container       where an instance answers, its registry and event system
interfaces      what an instance runs
components      more parts of a container
plugins         plugins and their settings
dependencies    objects that several sections share
logging         in the form of `logging.config.dictConfig`
instances       what a node runs
sockets         listening sockets that a node makes
debug           the backdoor of an instance
tracing         the header fields of HTTP requests and answers that have a trace id
==============  ====================================================================================

Any other section belongs to the user, unless its name is close to one of these, or is the name of a
section inside `container`: its settings would be ignored silently.
"""

from __future__ import annotations

from lymph.config._views.views import ConfigView
from lymph.config.suggestions import close_name

__all__ = ['SECTIONS', 'check_sections']

SECTIONS = (
    'components',
    'container',
    'debug',
    'dependencies',
    'instances',
    'interfaces',
    'logging',
    'plugins',
    'sockets',
    'tracing',
)
#: Names that are wrong at the top level, and where they belong.
_MISPLACED = {
    **dict.fromkeys(('event', 'events', 'event_system', 'eventsystem'), 'container.events'),
    **dict.fromkeys(('registry', 'service_registry', 'discovery'), 'container.registry'),
    'zkclient': 'container.registry.zkclient',
    'backdoor_ip': 'debug.backdoor_ip',
    'SerialEventHandler': 'components.SerialEventHandler',
    **{
        key: f'container.{key}'
        for key in (
            *('advertise', 'block_threshold', 'drain_timeout', 'ip', 'log_endpoint', 'metrics'),
            *('monitoring_endpoint', 'operations', 'pool_size', 'port', 'rpc'),
        )
    },
}
_ALIKE = 0.8  # ratio of `difflib`: `contaner` and `component` are close, `services` is not


def check_sections(config: ConfigView) -> None:
    """Raise ConfigurationError for a top-level key of `config` that was likely meant for lymph.

    That is a key which belongs elsewhere, or is close to the name of a section.
    """
    for name in config:
        if name in SECTIONS:
            continue
        place = _MISPLACED.get(name)
        if place is not None:
            raise config.error([name], f'does not belong here; write it as {place}')
        close = close_name(name.lower(), SECTIONS, _ALIKE)
        if close:
            raise config.error(
                [name],
                f'no section of lymph; did you mean {close!r}? '
                'A section of your own needs a name that is less alike',
            )
