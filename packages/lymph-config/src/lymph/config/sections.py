"""The top-level sections of a configuration: those that lymph reads, and names taken for them.

==============  ====================================================================================
container       where an instance answers, its registry and event system
interfaces      what an instance runs
components      further parts of a container
plugins         plugins and their settings
dependencies    objects that several sections share
logging         in the form of `logging.config.dictConfig`
instances       what a node runs
sockets         listening sockets that a node makes
debug           the backdoor
==============  ====================================================================================

Any other section is the user's own, unless its name is a near miss of one of these, or that of a
section that belongs inside `container`: what stands there would be ignored without a word.
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
)
#: Names at the top level that are looked for elsewhere.
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
            *('pool_size', 'port', 'rpc'),
        )
    },
}
_ALIKE = 0.8  # as `difflib` measures it: `contaner` and `component` are, `services` is not


def check_sections(config: ConfigView) -> None:
    """Raise ConfigurationError for a section of `config` that lymph would ignore by mistake."""
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
