"""Finding the value that a serializer refused, for the error that names it.

The search looks at each member once, gives up at the bounds of a message, and dumps no object
again: what the serializer has made of it is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from typing import Any, Final

from lymph.config.printable import printable, quoted
from lymph.core.limits import DEPTH, ITEMS
from lymph.serializers._codec.bounds import CONTAINERS
from lymph.serializers._codec.excess import too_deep, too_many
from lymph.serializers._codec.kinds import KNOWN, Dumps, as_known, dump_of
from lymph.serializers._codec.members import check_hashes

__all__ = ['cause', 'explain']

_KEY: Final = 40  # characters of one key
_TYPE: Final = 100  # characters of the name of a type, from its end
_PATH: Final = 200  # characters of a path, from its beginning
_CAUSE: Final = 300  # characters of a reason


Check = Callable[[Any], 'Exception | None']
Found = tuple[list[str], Any, Exception]  # the steps from the inside out, the value, why


def explain(value: Any, error: Exception, dumps: Dumps, scalar: Check, key: Check) -> str:
    """Return one line: the path to the value that does not fit, its type and why.

    `error` is what the serializer raised, `dumps` what objects were dumped as. `scalar` returns
    what is wrong with a value that has no members, `key` what is wrong with it as a key.
    """
    try:
        found = _Search(dumps, scalar, key).first(value, DEPTH, False)
    except Exception:  # noqa: BLE001 - raised by a mapping or a list of the user's
        found = None
    steps, culprit, reason = found or ([], value, error)
    path = ''.join(reversed(steps)).strip(' .')
    where = f'at {printable(path, _PATH)}' if path else 'as a whole'
    return f'cannot serialize the value {where}: {_kind(culprit)}: {cause(reason)}'


def cause(error: BaseException) -> str:
    """Return the text of an error on one line of bounded length, or its class if it has none."""
    try:
        text = str(error)
    except BaseException:  # noqa: BLE001 - an error of the user's whose text cannot be made
        text = ''
    return printable(text or type(error).__name__, _CAUSE)


def _kind(value: Any) -> str:
    kind = type(value)
    name = f'{kind.__module__}.{kind.__qualname__}'.removeprefix('builtins.')
    return printable(name if len(name) <= _TYPE else f'...{name[3 - _TYPE :]}')


class _Search:
    """Looks for the first value that does not fit."""

    def __init__(self, dumps: Dumps, scalar: Check, key: Check) -> None:
        self._dumps = dumps
        self._scalar = scalar
        self._key = key
        self._left = ITEMS

    def first(self, value: Any, depth: int, hashed: bool) -> Found | None:
        """Return the first misfit in `value`, which may hold `depth` containers in each other.

        `hashed` is for keys and for members of sets, which must be hashable when they arrive.
        """
        # `culprit` is the value, or what its `_lymph_dump_` returned, and `steps` lead there;
        # `known` is what that travels as, None with an error.
        culprit, steps, known, error = self._known(value)
        if error is None and type(known) not in CONTAINERS:
            error = self._scalar(known)
        elif error is None:
            error = self._as_a_whole(known, depth, hashed)
        if error is not None:
            return [steps], culprit, error
        if type(known) not in CONTAINERS:
            return None
        for step, member, is_key in _members(known):
            found = self.first(member, depth - 1, hashed or is_key or _hashes(known))
            if found is not None:
                found[0].extend((step, steps))  # from the inside out: ours come last
                return found
        return None

    def _known(self, value: Any) -> tuple[Any, str, Any, Exception | None]:
        """Return the value that is looked at, the steps to it, what it counts as, its error."""
        steps = ''
        for _ in range(DEPTH + 1):
            if type(value) in KNOWN:
                return value, steps, value, None
            try:
                dumped = dump_of(type(value)) is not None
            except Exception as raised:  # noqa: BLE001 - it is the answer
                return value, steps, None, raised
            if not dumped:
                break
            _, result, error = self._dumps.get(id(value), (value, None, None))
            if error is not None:
                return value, steps, None, error
            if hasattr(type(value), '_lymph_dump_'):
                steps = f'{steps}._lymph_dump_()'
            value = result
        try:
            return value, steps, as_known(value, {}), None
        except Exception as error:  # noqa: BLE001 - it is the answer
            return value, steps, None, error

    def _as_a_whole(self, container: Collection[Any], depth: int, hashed: bool) -> Exception | None:
        self._left -= len(container)
        if not depth:
            return too_deep()
        if self._left < 0:
            return too_many()
        if isinstance(container, dict) and hashed:
            return TypeError('a mapping cannot be a key or a member of a set')
        if isinstance(container, (list, tuple)):
            return None
        try:
            check_hashes(container)
        except Exception as error:  # noqa: BLE001 - it is the answer
            return error
        return self._of_keys(container) if isinstance(container, dict) else None

    def _of_keys(self, container: dict[Any, Any]) -> Exception | None:
        keys = [known for _, _, known, error in map(self._known, container) if error is None]
        for key in keys:
            error = self._key(key)
            if error is not None:
                return error
        if self._dumps and len({*filter(_is_scalar, keys)}) < sum(map(_is_scalar, keys)):
            return ValueError('two keys of it are equal when they arrive')
        return None


def _is_scalar(known: Any) -> bool:
    return type(known) not in CONTAINERS


def _hashes(container: Any) -> bool:
    return isinstance(container, (set, frozenset))


def _members(container: Any) -> Iterator[tuple[str, Any, bool]]:
    """Yield each member with the step to it, and whether it is a key."""
    if isinstance(container, dict):
        for key, value in container.items():
            named = _named(key)
            yield f' (key {named})', key, True
            yield f'.{key}' if type(key) is str and len(key) < _KEY else f'[{named}]', value, False
    else:
        for index, member in enumerate(container):
            yield f'[{index}]', member, False


def _named(key: Any) -> str:
    """Return a key as a path shows it; those of the user's types are not asked for a `repr`."""
    return quoted(key, _KEY) if type(key) in KNOWN - CONTAINERS else f'<{_kind(key)}>'
