"""Disks that are full for a while and directories that are not writable, in real processes."""

from __future__ import annotations

import sqlite3

import gevent

from lymph.testing.waiting import eventually

FULL_FOR_A_WHILE = """
    import resource
    from lymph.events.backoff import Backoff

    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)

    def handler(event):
        say('handled', event.body['n'])
        if event.attempt == 1:
            # from here on nothing can be written, not even what becomes of the event
            resource.setrlimit(resource.RLIMIT_FSIZE, (1, most))
            if event.body['n'] == 'failing':
                raise RuntimeError('not yet')

    def fail():
        try:
            system.emit(Event('thing', {'n': 'too much'}))
        except EmitFailure as error:
            say(error)
        else:
            say('emitted')

    system._consumption._backoff = Backoff(first=0.05)
    system.subscribe(Subscription('queue', ('thing',), handler, retry=3))
    system.emit(Event('thing', {'n': arguments[0]}))
    while resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1:
        gevent.sleep(0.01)
    fail()
    gevent.sleep(0.1)
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    gevent.sleep(1000)
    """


def left(database):
    with sqlite3.connect(database) as db:
        return db.execute('SELECT count(*) FROM messages').fetchone()[0]


def test_event_handled_on_a_full_disk_is_settled_when_space_is_free(run, database):
    consumer = run(FULL_FOR_A_WHILE, 'handled')
    assert consumer.hear() == 'handled handled'
    assert consumer.hear().startswith('thing is not known to be safe: ')
    eventually(lambda: left(database) == 0, 10)
    consumer.kill()
    assert consumer.hear_all() == []


def test_event_that_failed_on_a_full_disk_is_retried_when_space_is_free(run, database):
    consumer = run(FULL_FOR_A_WHILE, 'failing')
    assert consumer.hear() == 'handled failing'
    assert 'events.sqlite cannot' in consumer.hear()
    with gevent.Timeout(10):  # rung for, and not found by the look around that comes later
        assert consumer.hear() == 'handled failing'
    eventually(lambda: left(database) == 0, 10)
    consumer.kill()
    assert consumer.hear_all() == []


STATE = """
    import resource

    def tell():
        state = system.connection_state()
        say(state.connected, state.reconnects, state.reason or state.server)

    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    system.declare(Subscription('queue', ('thing',), bool))
    system.emit(Event('thing'))
    tell()
    resource.setrlimit(resource.RLIMIT_FSIZE, (1, most))
    try:
        system.emit(Event('thing'))
    except EmitFailure:
        tell()
    gevent.sleep(1.5)  # longer than the pause between two attempts
    tell()
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    while not system.connection_state().connected:
        gevent.sleep(0.01)
    tell()
    """


def test_state_is_down_on_a_full_disk_until_something_can_be_written(run, database):
    process = run(STATE)
    assert process.hear() == f'True 0 {database}'
    for _ in range(2):
        assert process.hear().startswith(f'False 0 {database} cannot')
    with gevent.Timeout(10):  # nobody emits anything
        assert process.hear() == f'True 1 {database}'


WITHOUT_PERMISSION = """
    from lymph.exceptions import ConfigurationError

    system.on_stop()
    os.chmod(os.path.join(path, 'events'), 0o500)
    if os.getuid() == 0:
        os.setuid(65534)  # whom permissions mean something to
    try:
        EmbeddedEventSystem(path).on_start()
    except ConfigurationError as error:
        say(error)
    """


def test_directory_without_write_permission_is_an_error_at_the_start(run, tmp_path):
    process = run(WITHOUT_PERMISSION)
    error = process.hear()
    assert process.wait() == 0
    assert str(tmp_path) in error
    assert error.endswith('name a directory that this user can write to')
