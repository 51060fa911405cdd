"""Everything that a node runs: started, changed and stopped together."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import gevent
from gevent.event import Event
from gevent.lock import Semaphore

from lymph.config.printable import quoted
from lymph.config.suggestions import close_name
from lymph.services.node._fleet.definitions import Definition
from lymph.services.node._fleet.guard import Guard
from lymph.services.node._fleet.output import NODE, Output
from lymph.services.node._fleet.slot import Slot
from lymph.services.node._fleet.sockets import Sockets
from lymph.services.node._fleet.supervision import Policy
from lymph.services.node._fleet.surroundings import FleetSurroundings
from lymph.services.node._steering.exceptions import ChangeRefused, NotReady, UnknownName

__all__ = ['Fleet']

#: Processes of one definition, as in the configuration.
MOST = 1000


class Fleet:
    """Runs what is defined, until it is told to stop or everything has finished.

    Arguments: `patience`, the seconds that processes get to end by themselves; `environ`, the
    environment they run in; `color` of the names before their lines; `fixed_port(definition)`
    returns the port, in words, that each process of a definition needs for itself, or None;
    `sockets` has the listening sockets that processes are given.
    """

    def __init__(
        self,
        definitions: Iterable[Definition],
        *,
        environ: Mapping[str, str],
        patience: float = 10.0,
        policy: Policy | None = None,
        color: bool = False,
        fixed_port: Callable[[Definition], str | None] = lambda _definition: None,
        sockets: Sockets | None = None,
    ) -> None:
        self.output = Output(color=color)
        self._fixed_port = fixed_port
        self._guard = Guard()
        self._around = FleetSurroundings(
            environ,
            self._guard,
            self.output,
            policy or Policy(),
            patience,
            self._settled,
            sockets or Sockets(),
        )
        self._definitions: dict[str, Definition] = {}
        self._slots: dict[str, list[Slot]] = {}
        self._changing = Semaphore()
        self._stopping = Event()
        self._finished = Event()
        for definition in definitions:
            self._add(definition)
        self.output.labels.add([NODE])

    def run(self, begun: Callable[[], object] = lambda: None) -> bool:
        """Run all processes until they have ended; return whether all ended well.

        They have if no process kept failing, none had to be killed, and each that was told to stop
        ended with exit code 0 or by the signal that told it. `begun` is called when all have been
        started.
        """
        self._guard.start()
        try:
            for slot in self._every():
                slot.begin()
            begun()
            reasons: list[Any] = [self._finished, self._stopping, self.output.closed]
            gevent.wait(reasons, count=1)
            if not (self._finished.is_set() or self._stopping.is_set()):
                self.stop()  # nobody reads what is printed
        finally:
            self._stopping.set()
            for slot in self._every():
                slot.close()
            with self._changing:  # what was being changed gives up
                for slot in self._every():
                    slot.join()
            self._guard.stop()
            self.output.say('nothing runs any more')
            self.output.finish()
        return all(slot.orderly for slot in self._every())

    def stop(self) -> None:
        """End all processes; called again, kill them."""
        if self._stopping.is_set():
            self.output.say('killing what still runs')
            for slot in self._every():
                slot.kill()
            return
        self._stopping.set()
        self.output.say('stopping; a second signal kills')
        for slot in self._every():
            slot.close()

    def slots(self, names: Sequence[str] = ()) -> list[Slot]:
        """Return the slots of definitions or of processes (`echo`, `echo.2`); all without names.

        Raises UnknownName.
        """
        return [slot for name in names for slot in self._named(name)] if names else self._every()

    def start(self, names: Sequence[str]) -> list[str]:
        """Start what does not run, and wait until it is ready; returns the names.

        What has failed is tried at once. Raises NotReady, UnknownName.
        """
        self._expect_open()
        slots = self.slots(names)
        _together([slot.start for slot in slots])
        return [slot.name for slot in slots]

    def halt(self, names: Sequence[str]) -> list[str]:
        """Stop processes and wait until they have ended; returns their names.

        They stay down until they are started again. Raises UnknownName.
        """
        slots = self.slots(names)
        for slot in slots:
            slot.stop()
        for slot in slots:
            slot.join()
        return [slot.name for slot in slots]

    def roll(self, names: Sequence[str] = ()) -> list[str]:
        """Replace processes by new ones, one after the other; returns the names.

        Each is ready before the next one goes. Without names, what somebody has stopped stays so.
        Raises NotReady for one that does not get ready, and leaves the rest as it is; UnknownName.
        """
        with self._change():
            return self._roll(self.slots(names), also_halted=bool(names))

    def scale(self, name: str, count: int) -> list[str]:
        """Run a definition `count` times; waits, and returns the processes that there are then.

        Lasts until the configuration has another number. Raises NotReady, UnknownName and
        ChangeRefused.
        """
        with self._change():
            definition = self._definitions.get(name)
            if definition is None:
                raise self._unknown(name, self._definitions)
            if not 0 <= count <= MOST:
                raise ChangeRefused(
                    f'expected a number of processes from 0 to {MOST}, found {count}'
                )
            # A single process may have a fixed port or a pid file.
            port = self._fixed_port(definition) if count > 1 else None
            if port is not None:
                raise ChangeRefused(f'{count} processes of {name} cannot all listen at {port}')
            if count > 1 and definition.has_pidfile:
                raise ChangeRefused(f'{count} processes of {name} cannot all have one --pidfile')
            added = self._resize(definition, count)
            _together([slot.start for slot in added])
            return [slot.name for slot in self._slots[name]]

    def reload(self, definitions: Sequence[Definition]) -> None:
        """Run these definitions from now on; what is not different is left alone.

        A number of processes that `scale` has set stays, unless the configuration has changed it.
        Processes whose command, environment or folder are different are replaced, one after the
        other. Raises NotReady as `roll` does.
        """
        with self._change():
            wanted = {definition.name: definition for definition in definitions}
            removed = [name for name in self._definitions if name not in wanted]
            changed = []
            # First, and until they have ended: what is added may need the same ports.
            self._remove(removed)
            for name, definition in wanted.items():
                before = self._definitions.get(name)
                if before is None:
                    self._add(definition)
                    for slot in self._slots[name]:
                        slot.begin()
                    changed.append(f'added {name}')
                else:
                    # A slot keeps the definition of its process; `_differing` compares the two.
                    self._definitions[name] = definition
                    if not before.says_the_same(definition):
                        changed.append(f'changed {name}')
                    # Compared with the former configuration: a number that `scale` has set stays.
                    if before.numprocesses != definition.numprocesses:
                        for slot in self._resize(definition, definition.numprocesses):
                            slot.begin()
            changed += [f'removed {name}' for name in removed]
            # Before the roll, which may take minutes and may raise NotReady.
            self.output.say(f'read the configuration again: {", ".join(changed) or "no change"}')
            self._roll(self._differing(), also_halted=False)

    def _differing(self) -> list[Slot]:
        """Have the slots take their definitions; returns those whose process has to be replaced."""
        differing = []
        for slot in self._every():
            definition = self._definition_of(slot)
            state = slot.supervision.state
            if not definition.runs_like(slot.definition) and not slot.halted:
                differing.append(slot)
                continue
            slot.adopt(definition)
            if state in ('waiting', 'failed'):
                slot.begin()  # what it lacked may be there now
        return differing

    def _roll(self, slots: Sequence[Slot], *, also_halted: bool) -> list[str]:
        replaced = []
        for number, slot in enumerate(slots):
            definition = self._definition_of(slot)
            if slot.halted and not also_halted:  # asked now: somebody may have stopped it just now
                slot.adopt(definition)
                continue
            # Another process beside one that was defined otherwise may want the same things.
            overlap = all(
                each.serves and not each.has_pidfile and self._fixed_port(each) is None
                for each in (definition, slot.definition)
            )
            try:
                slot.restart(definition, overlap=overlap)
            except NotReady as error:
                left = ', '.join(each.name for each in slots[number + 1 :])
                rest = f'; not replaced: {left}' if left else ''
                kept = '; the one before goes on' if slot.process is not None and overlap else ''
                raise NotReady(f'the rolling restart ends at {error}{kept}{rest}') from error
            replaced.append(slot.name)
        return replaced

    @contextmanager
    def _change(self) -> Iterator[None]:
        """Change one thing after the other."""
        self._expect_open()
        with self._changing:
            self._expect_open()
            yield
        self._settled()

    def _expect_open(self) -> None:
        if self._stopping.is_set():
            raise ChangeRefused('the node is stopping')

    def _settled(self) -> None:
        """Note whether everything has finished."""
        slots = self._every()
        if slots and all(slot.at_rest for slot in slots) and not self._changing.locked():
            self._finished.set()

    def _every(self) -> list[Slot]:
        return [slot for slots in self._slots.values() for slot in slots]

    def _definition_of(self, slot: Slot) -> Definition:
        return self._definitions[slot.definition.name]

    def _named(self, name: str) -> list[Slot]:
        if name in self._slots:
            return list(self._slots[name])
        named = {slot.name: slot for slot in self._every()}
        if name not in named:
            raise self._unknown(name, [*self._slots, *named])
        return [named[name]]

    def _unknown(self, name: str, known: Iterable[str]) -> UnknownName:
        close = close_name(name, list(known))
        advice = f'did you mean {close!r}?' if close else f'there are: {", ".join(self._slots)}'
        return UnknownName(f'this node runs no {quoted(name)}; {advice}')

    def _add(self, definition: Definition) -> None:
        self._definitions[definition.name] = definition
        self._slots[definition.name] = []
        self._resize(definition, definition.numprocesses)

    def _remove(self, names: Iterable[str]) -> None:
        slots = [slot for name in names for slot in self._slots[name]]
        _take_away(slots)
        for name in names:
            del self._definitions[name], self._slots[name]

    def _resize(self, definition: Definition, count: int) -> list[Slot]:
        """Have `count` slots; waits for those to end that are too many, returns those added."""
        slots = self._slots[definition.name]
        _take_away(slots[count:])
        del slots[count:]
        added = [
            Slot(f'{definition.name}.{number}', definition, self._around)
            for number in range(len(slots) + 1, count + 1)
        ]
        slots += added
        self.output.labels.add(slot.name for slot in added)
        if self._stopping.is_set():
            for slot in added:
                slot.close()
        return added


def _take_away(slots: Sequence[Slot]) -> None:
    """End slots for good, and wait until nothing runs there."""
    for slot in slots:
        slot.close('it was taken away meanwhile')
    for slot in slots:
        slot.join()


def _together(starts: Sequence[Callable[[], None]]) -> None:
    """Call functions at once; raises the NotReady of the first that fails, when all are done."""

    def attempt(start: Callable[[], None]) -> NotReady | None:
        try:
            start()
        except NotReady as error:
            return error
        return None

    greenlets = [gevent.spawn(attempt, start) for start in starts]
    gevent.joinall(greenlets)
    for greenlet in greenlets:
        if greenlet.value is not None:
            raise greenlet.value
