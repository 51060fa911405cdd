"""What checks look at: the configuration, the backends, and what all instances say of themselves.

Each of these is got once, when the first check asks for it, and its error is told to all who ask.
A backend that cannot be made is replaced, so that the other one can be looked at.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from typing import Any, Generic, TypeVar

import gevent
from gevent.event import AsyncResult

from lymph.cli._logging.logs import set_up_logging
from lymph.cli._program.configuring import load_configuration
from lymph.cli._running.fleet import ask_all, find_all
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.config import Configuration, LymphError
from lymph.core.diagnosis import Answer, NotChecked
from lymph.core.failures import Killed, error_line
from lymph.core.settings import read_events, read_registry
from lymph.discovery.base import HTTP, RPC, BaseServiceRegistry
from lymph.discovery.static import StaticServiceRegistry
from lymph.events.base import BaseEventSystem
from lymph.events.null import NullEventSystem

__all__ = ['Scene']

T = TypeVar('T')


class Unusable(LymphError):
    """What code of others raised; the text is one line."""


class _Once(Generic[T]):
    """What `find` returns, got when it is first asked for; its error is raised for each."""

    def __init__(self, find: Callable[[], T]) -> None:
        self._find = find
        self._result: AsyncResult[tuple[Any, LymphError | None]] | None = None

    def get(self) -> T:
        """Return it; raises LymphError. Whoever stops waiting leaves the others waiting."""
        if self._result is None:
            self._result = AsyncResult()
            gevent.spawn(self._run, self._result)
        outcome = self._result.get()
        assert outcome is not None
        value, error = outcome
        if error is not None:
            raise error
        found: T = value
        return found

    def _run(self, result: AsyncResult[tuple[Any, LymphError | None]]) -> None:
        try:
            result.set((self._find(), None))
        except Killed:
            raise
        except LymphError as error:
            result.set((None, error))
        except BaseException as error:  # noqa: BLE001 - backends of others
            result.set((None, Unusable(error_line(error))))


class Scene:
    """The `Surroundings` of the checks of one run; `close` when they are done."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._exit = ExitStack()
        self._config: _Once[Configuration] = _Once(self._load)
        self._made_registry = _Once(lambda: read_registry(self.config.view('container')))
        self._made_events = _Once(lambda: read_events(self.config.view('container')))
        self._client = _Once(self._make_client)
        self._registry: _Once[BaseServiceRegistry] = _Once(self._start_registry)
        self._events: _Once[BaseEventSystem] = _Once(self._start_events)
        self._fleet: _Once[Sequence[Answer]] = _Once(self._ask)

    @property
    def config(self) -> Configuration:
        """The configuration; raises NotChecked when it cannot be read."""
        return self._wanted(self._config, 'the configuration cannot be read')

    @property
    def registry(self) -> BaseServiceRegistry:
        """The registry, started; raises NotChecked."""
        self._expect_client()
        return self._wanted(self._registry, 'the registry cannot be used')

    @property
    def events(self) -> BaseEventSystem:
        """The event system, started; raises NotChecked."""
        self._expect_client()
        return self._wanted(self._events, 'the event system cannot be used')

    def problem(self) -> LymphError | None:
        """Return what keeps the configuration from being used, apart from the backends."""
        try:
            self._config.get()
            self._client.get()
        except LymphError as error:
            return error
        return None

    def fleet(self) -> Sequence[Answer]:
        """Return what all registered instances say of themselves; raises NotChecked."""
        self._expect_client()
        return self._wanted(self._fleet, 'the instances cannot be found without a registry')

    def close(self) -> None:
        """Close what was opened."""
        self._exit.close()

    def _load(self) -> Configuration:
        config = load_configuration(self._settings)
        set_up_logging(self._settings, config, 'ERROR')  # what is wrong is told as a finding
        return config

    def _make_client(self) -> Client:
        client = Client.from_config(
            self.config,
            plugins=False,
            registry=_or(self._made_registry, StaticServiceRegistry),
            events=_or(self._made_events, NullEventSystem),
        )
        self._exit.enter_context(client)
        return client

    def _start_registry(self) -> BaseServiceRegistry:
        self._made_registry.get()
        return self._client.get().container.registry

    def _start_events(self) -> BaseEventSystem:
        self._made_events.get()
        return self._client.get().container.events

    def _ask(self) -> Sequence[Answer]:
        self._registry.get()
        container = self._client.get().container
        return ask_all(container, find_all(container, (RPC, HTTP)))

    def _expect_client(self) -> None:
        try:
            self._client.get()
        except LymphError:
            raise NotChecked('the configuration cannot be used') from None

    def _wanted(self, once: _Once[T], text: str) -> T:
        try:
            return once.get()
        except LymphError as error:
            raise NotChecked(text) from error


def _or(once: _Once[T], stand_in: Callable[[], T]) -> T:
    try:
        return once.get()
    except LymphError:
        return stand_in()
