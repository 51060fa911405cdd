"""Uses examples/accounts.py, cuts its work in many places, and prints what is left in the pool.

Runs in a process whose standard library is patched, so that SQLAlchemy's pool waits cooperatively.
The argument is the folder of the database.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import accounts
import gevent
from gevent.event import Event
from sqlalchemy import event, text

import lymph
from lymph.core.container import ServiceContainer
from lymph.core.settings import ContainerSettings
from lymph.core.transport.memory import MemoryNetwork, MemoryTransport
from lymph.discovery.static import StaticServiceRegistryHub
from lymph.events.local import LocalEventSystem, LocalEventSystemHub
from lymph.testing.waiting import eventually

POOL_SIZE = 2


class Accounts(accounts.Accounts):
    """Accounts, with methods that keep a connection, or wait for one."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.running = self.cancelled = 0
        self.release = Event()

    @property
    def pool(self):
        return self.database.engine.pool

    @lymph.rpc()
    def hold(self):
        """Use a connection until it is released."""
        self.database.session.execute(text('select 1'))
        self.running += 1
        self.release.wait(10)

    @lymph.rpc()
    def use(self):
        """Use a connection, as soon as there is one."""
        self.running += 1
        self.database.session.execute(text('select 1'))

    @lymph.rpc(cancel=True)
    def give_up(self):
        """Use a connection, unless the caller does not wait any more."""
        try:
            self.database.session.execute(text('select 1'))
        except lymph.Cancelled:
            self.cancelled += 1
            raise

    @lymph.rpc()
    def hurry(self):
        """Use a connection, unless that takes too long."""
        with gevent.Timeout(0.01):
            self.database.session.execute(text('select 1'))

    @lymph.rpc()
    def hurry_and_go_on(self):
        """Try to use a connection, and use it later."""
        with gevent.Timeout(0.01, False):
            self.database.session.execute(text('select 1'))
        self.release.set()
        self.database.session.execute(text('select 1'))
        return 'went on'


def started(folder):
    container = ServiceContainer(
        MemoryTransport(network=MemoryNetwork()),
        StaticServiceRegistryHub().create_registry(),
        LocalEventSystem(LocalEventSystemHub()),
        ContainerSettings(block_threshold=0, drain_timeout=0),
    )
    config = {'database': f'sqlite:///{folder}/accounts.sqlite3', 'pool_size': POOL_SIZE}
    interface = container.install_interface(Accounts, config=config)
    container.start()
    return container, interface


def call(container, method, timeout=5.0, **arguments):
    options = {'retries': 0, 'timeout': timeout}
    try:
        return container.request('accounts', f'accounts.{method}', arguments, **options)
    except lymph.RpcError as error:
        return type(error).__name__


def calls(container, count, method, timeout=5.0):
    return [gevent.spawn(call, container, method, timeout) for _ in range(count)]


def left(pool):
    """Return how many connections are in use, after taking as many as the pool has."""
    checked_out = pool.checkedout()
    taken = [pool.connect() for _ in range(POOL_SIZE)]
    for connection in taken:
        connection.close()
    return checked_out


def used(folder):
    """Commit, roll back, and handle an event."""
    container, _ = started(folder)
    found = {
        'deposit': call(container, 'deposit', name='ada', amount=10),
        'transfer': call(container, 'transfer', source='ada', target='bob', amount=50),
        'balances': [call(container, 'balance', name=name) for name in ('ada', 'bob')],
        'transfer again': call(container, 'transfer', source='ada', target='bob', amount=4),
        'balances again': [call(container, 'balance', name=name) for name in ('ada', 'bob')],
    }
    container.emit_event('salary_paid', {'name': 'bob', 'amount': 3})
    eventually(lambda: call(container, 'balance', name='bob') == 7)
    container.stop()
    return found


def timed_out(folder):
    """Let calls be timed out and cancelled while they wait for a connection."""
    container, interface = started(folder)
    holders = calls(container, POOL_SIZE, 'hold')
    eventually(lambda: interface.running == POOL_SIZE)
    found = {
        'outcomes': [each.get() for each in calls(container, 3, 'hurry')],
        'given up': [each.get() for each in calls(container, 3, 'give_up', 0.01)],
        'cancelled': eventually(lambda: interface.cancelled == 3) and interface.cancelled,
        'went on': call(container, 'hurry_and_go_on'),
    }
    gevent.joinall(holders)
    found['left'] = left(interface.pool)
    container.stop()
    return found


def cut(folder, where):
    """Stop while calls hold a connection and others are being connected, or wait for one."""
    container, interface = started(folder)
    engine, never, arrived = interface.database.engine, Event(), Event()

    def wait(*args):
        arrived.set()
        never.wait(0.05 if where in ('reset', 'checkin') else 10)

    if where != 'wait':
        engine.dispose()
        event.listen(engine, {'connect': 'do_connect'}.get(where, where), wait)
        tasks = calls(container, POOL_SIZE, 'use')
        assert arrived.wait(5)
    else:
        tasks = calls(container, POOL_SIZE, 'hold')
        eventually(lambda: interface.running == POOL_SIZE)
        tasks += calls(container, 3, 'use')
        eventually(lambda: interface.running == POOL_SIZE + 3)
    found = {}

    def stop():
        if where != 'wait':
            event.remove(engine, {'connect': 'do_connect'}.get(where, where), wait)
        found['left'] = left(interface.pool)
        engine.dispose()

    interface.database.on_stop = stop  # before the pool is replaced
    found['cut'] = container.drain()
    gevent.joinall(tasks)
    return found


def main():
    folder = Path(sys.argv[1])
    found = {'used': used(folder), 'timed out': timed_out(folder)}
    for where in ('wait', 'connect', 'checkout', 'reset', 'checkin'):
        found[where] = cut(folder, where)
    print(json.dumps(found))


main()
