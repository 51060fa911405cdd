"""Plugins: classes and commands that installed distributions publish under entry-point groups.

A place in the configuration expects one group. What stands there is the name of a plugin in that
group, or a reference to a class, `pkg.mod:Name`; both are checked against the group's contract
before anybody uses them. Lymph's own backends are published in the same way as strangers'.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from lymph.config import distributions
from lymph.config.exceptions import PluginError
from lymph.config.lazy import lazy
from lymph.config.printable import object_name, printable, quoted
from lymph.config.suggestions import close_names

if TYPE_CHECKING:
    from lymph.config._values.locations import Location

__all__ = ['CONTRACTS', 'Contract', 'InstalledPlugin', 'installed', 'load_plugin', 'refresh']

_logger = lazy('logging:getLogger')
_is_reference: Callable[[str], bool] = lazy('lymph.config.references:is_reference')
_load_reference: Callable[..., object] = lazy('lymph.config.references:load_reference')


class Contract(NamedTuple):
    """What the plugins of a group are: subclasses of a class, or (`instance=True`) its instances.

    The class is named by reference and imported only when a plugin of the group is loaded.
    """

    reference: str
    instance: bool = False

    def breach(self, found: object, where: Location | str | None = None) -> str | None:
        """Return what an object breaks the contract by, or None if it keeps it.

        Raises PluginError if the contract itself is not installed.
        """
        base = _load_reference(self.reference, where=where)
        if not isinstance(base, type):
            raise PluginError(f'{quoted(self.reference, 200)} is not a class', where)
        if self.instance:
            if isinstance(found, base):
                return None
            return f'must be an instance of {self.reference}, found {object_name(found)}'
        if not (isinstance(found, type) and issubclass(found, base)):
            return f'must be a subclass of {self.reference}, found {object_name(found)}'
        if inspect.isabstract(found):
            missing = ', '.join(sorted(getattr(found, '__abstractmethods__', ())))
            return f'must define what {self.reference} leaves open, misses {missing}'
        return None


#: The contract of each group. Whoever invents a group adds it here; a group without one takes all.
CONTRACTS: dict[str, Contract] = {
    'lymph.cli': Contract('click:Command', instance=True),
    'lymph.discovery': Contract('lymph.discovery.base:BaseServiceRegistry'),
    'lymph.doctor': Contract('lymph.core.diagnosis:Check'),
    'lymph.events': Contract('lymph.events.base:BaseEventSystem'),
    'lymph.partitioners': Contract('lymph.core.partitioning:Partitioner'),
    'lymph.plugins': Contract('lymph.core.plugins:InstalledPlugin'),
    'lymph.transports': Contract('lymph.core.transport.base:Transport'),
}

#: The distributions that publish lymph's own backends outside of lymph-core.
_PROVIDERS = {
    ('lymph.discovery', 'zookeeper'): 'lymph-discovery-zk',
    ('lymph.events', 'kombu'): 'lymph-events-kombu',
    ('lymph.partitioners', 'zookeeper'): 'lymph-discovery-zk',
}


class InstalledPlugin(NamedTuple):
    """One name in a group, as its distribution publishes it; nothing is imported before `load()`.

    `rivals` are other plugins that claim the same name: then none of them can be used.
    """

    group: str
    name: str
    reference: str
    distribution: str
    version: str
    rivals: tuple[InstalledPlugin, ...] = ()

    def load(self, *, where: Location | str | None = None) -> object:
        """Return what the plugin publishes, checked against the contract of its group.

        `where` is the place that errors begin with.

        Raises PluginError, with its cause, if the name is claimed twice, if the import fails in
        whatever way, or if the contract is broken.
        """
        if self.rivals:
            claims = ' and '.join(sorted(plugin.origin for plugin in (self, *self.rivals)))
            raise PluginError(
                f'plugin {quoted(self.name)} in group {self.group} is published by {claims}; '
                f'uninstall one, or name the class as pkg.mod:Name',
                where,
            )
        try:
            found = _load_reference(self.reference)
            breach = _breach(self.group, found)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # what the module does is its author's: SystemExit, too
            reason = error.text if isinstance(error, PluginError) else _first_line(error)
            raise PluginError(f'{self} cannot be loaded: {reason}', where) from error
        if breach:
            raise PluginError(f'{self} {breach}', where)
        return found

    @property
    def broken(self) -> str | None:
        """Why the plugin cannot be used, in one line, or None; loads it to find out."""
        try:
            self.load()
        except PluginError as error:
            _logger(__name__).debug('%s is broken', self, exc_info=True)
            return error.text
        return None

    @property
    def origin(self) -> str:
        """The distribution and its version."""
        return f'{self.distribution} {self.version}'

    def __str__(self) -> str:
        return f'plugin {quoted(self.name)} in group {self.group} (from {self.origin})'


def load_plugin(group: str, reference: str, *, where: Location | str | None = None) -> object:
    """Return what the name of a plugin or a reference `pkg.mod:Name` stands for in a group.

    `where` is the place that errors begin with.

    Raises PluginError if there is no such thing, if it cannot be loaded, or if it is not what the
    contract of the group demands. What a module named by reference raises while it is imported
    passes unchanged.
    """
    plugin = installed(group).get(reference)
    if plugin:
        return plugin.load(where=where)
    if not _is_reference(reference):
        raise PluginError(_unknown(group, reference), where)
    found = _load_reference(reference, where=where)
    breach = _breach(group, found, where)
    if breach:
        raise PluginError(f'{quoted(reference, 200)} in group {group} {breach}', where)
    return found


def installed(group: str) -> dict[str, InstalledPlugin]:
    """Return the plugins of a group by name, in the order of their names.

    `lymph.config.distributions:entry_points` says which distributions count.
    """
    claims: dict[str, dict[tuple[str, str], InstalledPlugin]] = {}
    for each in distributions.entry_points(group):
        reference = ''.join(each.value.partition('[')[0].split())
        plugin = InstalledPlugin(group, each.name, reference, each.distribution, each.version)
        claims.setdefault(each.name, {})[each.distribution, reference] = plugin
    found = {}
    for name in sorted(claims):
        first, *others = claims[name].values()
        found[name] = first._replace(rivals=tuple(others))
    return found


def refresh() -> None:
    """Make the next look at a group search the environment again."""
    distributions.refresh()


def _breach(group: str, found: object, where: Location | str | None = None) -> str | None:
    contract = CONTRACTS.get(group)
    return contract.breach(found, where) if contract else None


def _unknown(group: str, name: str) -> str:
    provider = _PROVIDERS.get((group, name))
    if provider:
        return f'{quoted(name)} is provided by {provider}, which is not installed'
    names = installed(group)
    listed = f'installed: {", ".join(names)}' if names else 'none is installed'
    return f'no plugin {quoted(name)} in group {group} ({listed})' + (
        close_names(name, names) or _known_elsewhere(group, name) or '; or give it as pkg.mod:Name'
    )


def _known_elsewhere(group: str, name: str) -> str:
    """Suggest a backend of lymph that is not installed, if a wrong name is close to its name."""
    known = {each: owner for (home, each), owner in _PROVIDERS.items() if home == group}
    advice = close_names(name, known)
    for each, owner in known.items():
        if repr(each) in advice:
            return f'{advice} It is provided by {owner}, which is not installed'
    return ''


def _first_line(error: BaseException) -> str:
    try:
        text = str(error).partition('\n')[0]
    except Exception:  # noqa: BLE001 - the class is told all the same
        text = ''
    return printable(f'{type(error).__name__}: {text}' if text else type(error).__name__, 300)
