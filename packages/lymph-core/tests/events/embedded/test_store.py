"""Settlements that fail are tried again, with few lines in the log."""

from __future__ import annotations

from types import SimpleNamespace

from lymph.core.components import Component
from lymph.events._embedded.committer import Ticket
from lymph.events._embedded.database import StoreError
from lymph.events._embedded.store import DatabaseStore
from lymph.events.leases import Delivery
from lymph.testing.waiting import eventually


class FullDisk:
    """A committer whose commands fail until there is `room`."""

    def __init__(self):
        self.room = False
        self.failures = 0
        self.settled = 0

    def submit(self, command, on_done):
        ticket = Ticket(command, False, on_done)
        if self.room:
            self.settled += 1
        else:
            self.failures += 1
            ticket.error = StoreError('its disk is full')
        on_done(ticket)


def test_settlements_are_retried_on_a_full_disk_and_logged_once_a_minute(monkeypatch, caplog):
    monkeypatch.setattr('lymph.events._embedded.store._AFTER_ERROR', 0.001)
    component, disk = Component(), FullDisk()
    store = DatabaseStore(component, disk, SimpleNamespace(owner='me'), SimpleNamespace(), str)
    for id in (1, 2):
        store.acknowledge(Delivery(id, 'queue', b'', 1))
    eventually(lambda: disk.failures > 6)
    disk.room = True
    eventually(lambda: disk.settled == 2)
    component.pool.kill()
    assert caplog.messages == ['cannot settle an event, trying again: its disk is full']
