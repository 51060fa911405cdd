from __future__ import annotations

from lymph.core._loop.hooks import Hook


def test_every_callback_gets_what_the_hook_is_called_with():
    hook, heard = Hook(), []
    hook.install(lambda *args, **kwargs: heard.append((1, args, kwargs)))
    hook.install(lambda *args, **kwargs: heard.append((2, args, kwargs)))
    hook('a', key='b')
    assert heard == [(1, ('a',), {'key': 'b'}), (2, ('a',), {'key': 'b'})]


def test_callback_that_fails_is_logged_and_the_others_run(caplog):
    hook, heard = Hook('my hook'), []

    def fails():
        raise RuntimeError('no')

    hook.install(fails)
    hook.install(lambda: heard.append('second'))
    hook()
    assert heard == ['second']
    assert 'my hook: callback' in caplog.text
    assert 'RuntimeError: no' in caplog.text


def test_callback_can_be_removed_twice():
    hook, heard = Hook(), []
    leave = hook.install(lambda: heard.append(1))
    assert hook
    leave()
    leave()
    hook()
    assert heard == []
    assert not hook


def test_callback_may_be_removed_while_the_hook_runs():
    hook, heard = Hook(), []

    def once():
        heard.append('once')
        leave()

    leave = hook.install(once)
    hook.install(lambda: heard.append('always'))
    hook()
    hook()
    assert heard == ['once', 'always', 'always']


def test_removing_a_callback_keeps_an_equal_one():
    hook, heard = Hook(), []

    def callback():
        heard.append(1)

    leave = hook.install(callback)
    hook.install(callback)
    leave()
    leave()
    hook()
    assert heard == [1]
