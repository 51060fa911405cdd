"""Chains: steps run in their order, the work runs once, and `Killed` goes through."""

from __future__ import annotations

from types import SimpleNamespace

import gevent
import pytest

from lymph.core._work.chains import Chain, Chains, check_interceptor, surround
from lymph.core.failures import Killed
from lymph.core.interceptors import KINDS, Interceptor, Work


class Noting(Interceptor):
    """Records what passes it."""

    def __init__(self, name='a', journal=None):
        self.name = name
        self.journal = [] if journal is None else journal

    def intercept(self, work, proceed):
        self.journal.append(f'{self.name} before')
        try:
            return proceed()
        finally:
            self.journal.append(f'{self.name} after')


class Looking(Noting):
    builtin = True


def steps_of(*intercepts):
    return tuple(SimpleNamespace(intercept=each) for each in intercepts)


def run(*intercepts, last=lambda: 'done'):
    return surround(steps_of(*intercepts), Work('rpc', 'stock.take'), last)


def test_steps_are_nested_in_their_order():
    journal = []
    chains = Chains()
    chain = chains.of('rpc')
    for name in 'ab':
        chains.add(Noting(name, journal))
    assert surround(chain.steps, Work('rpc', 'x.y'), lambda: journal.append('work')) is None
    assert journal == ['a before', 'b before', 'work', 'b after', 'a after']


def test_plugins_wrap_the_interceptor_of_the_interface():
    journal = []
    chains = Chains()
    interface = Noting('interface', journal)
    chain = chains.of('event', interface)
    chains.add(Noting('plugin', journal))
    surround(chain.steps, Work('event', 'x.y'), lambda: journal.append('work'))
    assert journal[:3] == ['plugin before', 'interface before', 'work']


@pytest.mark.parametrize('kind', sorted(KINDS))
def test_only_the_declared_kinds_are_intercepted(kind):
    chains = Chains()
    plugin = Noting()
    plugin.kinds = ['rpc', 'emit']
    chains.add(plugin)
    assert bool(chains.of(kind).steps) == (kind in ('rpc', 'emit'))


def test_only_plugins_that_opt_in_intercept_the_built_in_interface():
    chains = Chains()
    chains.add(Noting())
    assert chains.of('rpc', None, builtin=True).steps == ()
    chains.add(Looking())
    assert len(chains.of('rpc', None, builtin=True).steps) == 1
    assert len(chains.of('rpc').steps) == 2


def test_chain_changes_when_plugins_are_added_and_removed():
    chains = Chains()
    chain = chains.of('rpc')
    assert chain is chains.of('rpc')
    plugin = Noting()
    chains.add(plugin)
    assert len(chain.steps) == 1
    chains.remove(plugin)
    assert chain.steps == ()
    chains.remove(plugin)


def test_removed_plugin_is_not_called_by_work_that_has_begun():
    journal, chains = [], Chains()
    inner = Noting('inner', journal)

    class Removing(Interceptor):
        def intercept(self, work, proceed):
            chains.remove(inner)
            return proceed()

    chains.add(Removing())
    chains.add(inner)
    assert surround(chains.of('rpc').steps, Work('rpc', 'x.y'), lambda: 'done') == 'done'
    assert journal == []


def test_result_is_that_of_the_outermost_interceptor():
    assert run(lambda work, proceed: f'<{proceed()}>', lambda work, proceed: proceed()) == '<done>'


def test_work_is_not_done_if_an_interceptor_does_not_proceed():
    assert run(lambda work, proceed: 'instead', last=pytest.fail) == 'instead'


@pytest.mark.parametrize('kind', [ValueError, SystemExit, GeneratorExit, gevent.Timeout])
def test_interceptors_see_an_error_and_may_replace_it(kind):
    heard = []

    def replace(work, proceed):
        try:
            return proceed()
        except BaseException as error:  # noqa: BLE001 - the test is about these
            heard.append(type(error))
            return 'replaced'

    def fail():
        raise kind

    assert run(replace, last=fail) == 'replaced'
    assert heard == [kind]


def test_proceeding_twice_is_an_error_and_the_work_is_done_once():
    done = []

    def twice(work, proceed):
        proceed()
        return proceed()

    with pytest.raises(RuntimeError, match='a second time'):
        run(twice, last=lambda: done.append(1))
    assert done == [1]


def test_proceeding_after_the_end_is_an_error():
    kept = []
    run(lambda work, proceed: kept.append(proceed))
    with pytest.raises(RuntimeError, match='after intercept'):
        kept[0]()


def test_proceeding_in_another_greenlet_is_an_error():
    with pytest.raises(RuntimeError, match='another greenlet'):
        run(lambda work, proceed: gevent.spawn(proceed).get())


def kill():
    raise Killed


def swallow(work, proceed):
    try:
        return proceed()
    except BaseException:  # noqa: BLE001 - the test is about this
        return 'swallowed'


def replace(work, proceed):
    try:
        return proceed()
    except BaseException:  # noqa: BLE001 - the test is about this
        raise ValueError('another') from None


@pytest.mark.parametrize('intercept', [swallow, replace])
def test_killed_reaches_all_interceptors_even_if_one_swallows_it(intercept):
    heard = []

    def outer(work, proceed):
        try:
            return proceed()
        except Killed:
            heard.append('killed')
            raise

    with pytest.raises(Killed):
        run(outer, intercept, last=kill)
    with pytest.raises(Killed):
        run(intercept, lambda work, proceed: kill())
    assert heard == ['killed']


def test_chain_of_an_interface_that_is_no_interceptor_is_empty():
    assert Chains().of('rpc', object()).steps == Chain().steps == ()


def test_interceptor_interface_without_matching_work_is_rejected():
    class Wrong(Interceptor):
        kinds = ('call', 'emit')

    with pytest.raises(TypeError, match=r'Wrong: expected kinds .* \(event, .* found call, emit; '):
        check_interceptor(Wrong())
    check_interceptor(Noting())
    check_interceptor(object())


def test_plugin_with_unknown_kinds_is_not_added():
    plugin = Noting()
    plugin.kinds = {'rcp'}
    with pytest.raises(TypeError, match=r"Noting: expected kinds of .*found 'rcp'; .*'rpc'"):
        Chains().add(plugin)
