"""Plugins: classes and objects that installed distributions publish under entry-point groups.

A place in the configuration expects plugins of one group. Its value is the name of a plugin in that
group, or a reference `pkg.mod:Name`. Either is checked before anybody uses it: against what the
caller demands, or else against the contract of the group.

The distribution that owns a group publishes its contract: an entry point in the group
`lymph.contracts`, with the name of the group, that leads to a `Contract`. Groups without a contract
accept everything. Lymph's own groups and plugins are published in the same way as any other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple, TypeVar, cast, overload

from lymph.config import distributions
from lymph.config.exceptions import PluginError
from lymph.config.lazy import lazy
from lymph.config.printable import object_name, printable, quoted
from lymph.config.suggestions import close_name

if TYPE_CHECKING:
    from lymph.config._values.locations import Location

__all__ = ['CONTRACTS', 'Contract', 'InstalledPlugin', 'installed', 'load_plugin', 'refresh']

T = TypeVar('T')

#: The entry-point group of contracts: each is published with the name of the group it is about.
CONTRACTS: Final = 'lymph.contracts'

_logger = lazy('logging:getLogger')
_is_reference: Callable[[str], bool] = lazy('lymph.config.references:is_reference')
_load_reference: Callable[..., object] = lazy('lymph.config.references:load_reference')

_NOTHING_KNOWN: Mapping[str, str] = MappingProxyType({})


class Contract(NamedTuple):
    """What the plugins of a group are: subclasses of a class, or (`instance=True`) its instances.

    `reference` names the class. It is imported only when a plugin of the group is checked, so the
    module with the contract can be small.

    `known` maps names of plugins to the distributions that publish them: whoever asks for one that
    is not installed is told what to install.
    """

    reference: str
    instance: bool = False
    known: Mapping[str, str] = _NOTHING_KNOWN

    def breach(self, found: object, where: Location | str | None = None) -> str | None:
        """Return the rule that an object breaks, or None if it keeps the contract.

        `where` is the place that errors begin with.

        Raises PluginError, with its cause, if the class cannot be imported for any reason, or is
        not a class.
        """
        try:
            base = _load_reference(self.reference, where=where)
        except (KeyboardInterrupt, PluginError):
            raise
        except BaseException as error:  # modules of others may raise anything, SystemExit too
            named = quoted(self.reference, 200)
            raise PluginError(f'{named} cannot be loaded: {_reason(error)}', where) from error
        if not isinstance(base, type):
            raise PluginError(f'{quoted(self.reference, 200)} is not a class', where)
        return _breach(found, base, self.instance, self.reference)


class InstalledPlugin(NamedTuple):
    """One name in a group, as its distribution publishes it; nothing is imported before a load.

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

        Raises PluginError, with its cause, if several distributions publish the name, if the
        import fails for any reason, if the contract is broken, or if the contract itself cannot be
        loaded.
        """
        return self._loaded(lambda found: _contract_breach(self.group, found, where), where)

    def load_class(self, kind: type[T], *, where: Location | str | None = None) -> type[T]:
        """Return the class that the plugin publishes, a subclass of `kind` that is not abstract.

        `kind` is checked instead of the contract of the group. Raises PluginError as `load` does.
        """
        found = self._loaded(lambda each: _kind_breach(self.group, each, kind, False), where)
        return cast('type[T]', found)

    def load_object(self, kind: type[T], *, where: Location | str | None = None) -> T:
        """Return the object that the plugin publishes, an instance of `kind`.

        `kind` is checked instead of the contract of the group. Raises PluginError as `load` does.
        """
        found = self._loaded(lambda each: _kind_breach(self.group, each, kind, True), where)
        return cast('T', found)

    def _loaded(
        self, breach_of: Callable[[object], str | None], where: Location | str | None
    ) -> object:
        """Return what the plugin publishes. Raises PluginError as `load` does.

        `breach_of` returns the rule that an object breaks, or None.
        """
        if self.rivals:
            raise PluginError(self._conflict(), where)
        try:
            found = _load_reference(self.reference)
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # modules of others may raise anything, SystemExit too
            raise PluginError(f'{self} cannot be loaded: {_reason(error)}', where) from error
        breach = breach_of(found)
        if breach:
            raise PluginError(f'{self} {breach}', where)
        return found

    def _conflict(self) -> str:
        origins = sorted({plugin.origin for plugin in (self, *self.rivals)})
        named = f'plugin {quoted(self.name)} in group {self.group}'
        if len(origins) == 1:
            return f'{named} is published more than once by {origins[0]}; uninstall it'
        return f'{named} is published by {" and ".join(origins)}; uninstall one'

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


@overload
def load_plugin(
    group: str, reference: str, *, kind: type[T], where: Location | str | None = None
) -> type[T]: ...
@overload
def load_plugin(group: str, reference: str, *, where: Location | str | None = None) -> object: ...
def load_plugin(
    group: str,
    reference: str,
    *,
    kind: type[T] | None = None,
    where: Location | str | None = None,
) -> object:
    """Return what the name of a plugin or a reference `pkg.mod:Name` stands for in a group.

    Arguments: `kind` demands a subclass of it that is not abstract, and is checked instead of the
    contract of the group; `where` is the place that errors begin with.

    Raises PluginError if there is no such plugin, module or name, if the plugin cannot be loaded,
    or if it is not what `kind` or the contract demands. What a module named by reference raises
    while it is imported passes unchanged.
    """
    plugin = installed(group).get(reference)
    if plugin:
        if plugin.rivals:
            conflict = plugin._conflict()  # noqa: SLF001 - its own module
            raise PluginError(f'{conflict}, or name the class as pkg.mod:Name', where)
        return plugin.load(where=where) if kind is None else plugin.load_class(kind, where=where)
    if not _is_reference(reference):
        raise PluginError(_unknown(group, reference, where), where)
    found = _load_reference(reference, where=where)
    if kind is None:
        breach = _contract_breach(group, found, where)
    else:
        breach = _kind_breach(group, found, kind, False)
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
    """Forget which distributions are installed; the next lookup searches for them again."""
    distributions.refresh()


def _contract_of(group: str, where: Location | str | None = None) -> Contract | None:
    published = installed(CONTRACTS).get(group)
    return None if published is None else published.load_object(Contract, where=where)


def _contract_breach(group: str, found: object, where: Location | str | None) -> str | None:
    contract = _contract_of(group, where)
    if contract is None:
        return None
    try:
        return contract.breach(found)
    except PluginError as error:
        # A mistake in the contract, not in what was found: name who published the contract.
        raise PluginError(f'{installed(CONTRACTS)[group]}: {error.text}', where) from error


def _kind_breach(group: str, found: object, kind: type, instance: bool) -> str | None:
    """Return the rule of `kind` that an object breaks, or None.

    Raises TypeError if `kind` is not a class.
    """
    if not isinstance(kind, type):
        raise TypeError(f'expected a class as kind, found {object_name(kind)}')
    breach = _breach(found, kind, instance, f'{kind.__module__}:{kind.__qualname__}')
    if breach is None or group == CONTRACTS:
        return breach
    # The contract may have a better name for the same class: authors import `click:Command`, while
    # the class itself knows `click.core:Command` only.
    try:
        contract = _contract_of(group)
        if contract is not None and _load_reference(contract.reference) is kind:
            return _breach(found, kind, instance, contract.reference)
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - the class has its own name
        pass
    return breach


def _breach(found: object, base: type, instance: bool, named: str) -> str | None:
    """Return the rule that an object breaks, or None; `named` is the name of `base` in the rule."""
    try:
        if instance:
            if not isinstance(found, base):
                return f'must be an instance of {named}, found {object_name(found)}'
            return None
        if not (isinstance(found, type) and issubclass(found, base)):
            return f'must be a subclass of {named}, found {object_name(found)}'
        missing = ', '.join(sorted(getattr(found, '__abstractmethods__', ())))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # noqa: BLE001 - classes of others may answer with anything
        return f'cannot be compared with {named}: {_reason(error)}'
    return f'must define what {named} leaves open, misses {missing}' if missing else None


def _unknown(group: str, name: str, where: Location | str | None) -> str:
    """Return the text of the error for a name that no installed distribution publishes.

    Raises PluginError if the contract of the group is damaged.
    """
    contract = _contract_of(group, where)
    known = _NOTHING_KNOWN if contract is None else contract.known
    if not (isinstance(known, Mapping) and all(isinstance(each, str) for each in known)):
        expected = 'expected a mapping of names to distributions as known'
        raise PluginError(
            f'{installed(CONTRACTS)[group]}: {expected}, found {object_name(known)}', where
        )
    if name in known:
        return f'{quoted(name)} is provided by {known[name]}, which is not installed'
    names = installed(group)
    listed = f'installed: {", ".join(names)}' if names else 'none is installed'
    advice = 'or give it as pkg.mod:Name'
    if close := close_name(name, names):
        advice = f'did you mean {close!r}?'
    elif close := close_name(name, known):
        provider = known[close]
        advice = f'did you mean {close!r}? It is provided by {provider}, which is not installed'
    return f'no plugin {quoted(name)} in group {group} ({listed}); {advice}'


def _reason(error: BaseException) -> str:
    """Return the text of a PluginError, or the class and the first line of another error."""
    if isinstance(error, PluginError):
        return error.text
    try:
        text = str(error).partition('\n')[0]
    except KeyboardInterrupt:
        raise
    except BaseException:  # noqa: BLE001 - the class is named all the same
        text = ''
    return printable(f'{type(error).__name__}: {text}' if text else type(error).__name__, 300)
