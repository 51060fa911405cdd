from __future__ import annotations

import copy
import gc
import inspect
import pickle
import weakref

import pytest

from lymph import exceptions
from lymph.exceptions import (
    Cancelled,
    ConfigurationError,
    ConnectionLost,
    Expired,
    Failed,
    LookupFailure,
    LymphError,
    Nack,
    NotConnected,
    NotSent,
    Refused,
    RemoteError,
    RpcError,
    SerializationError,
    Timeout,
    WrongThread,
)


def test_all_errors_except_cancelled_are_lymph_errors():
    for name in exceptions.__all__:
        value = getattr(exceptions, name)
        if inspect.isclass(value) and issubclass(value, BaseException) and value is not Cancelled:
            assert issubclass(value, LymphError), name


@pytest.mark.parametrize(
    ('cls', 'executed'),
    [
        (RpcError, 'maybe'),
        (NotSent, 'no'),
        (LookupFailure, 'no'),
        (NotConnected, 'no'),
        (Expired, 'no'),
        (Timeout, 'maybe'),
        (ConnectionLost, 'maybe'),
        (Refused, 'no'),
        (Failed, 'yes'),
        (RemoteError, 'yes'),
        (RemoteError.KeyError, 'yes'),
    ],
)
def test_the_class_tells_whether_the_method_ran(cls, executed):
    assert cls.executed == executed
    assert issubclass(cls, RpcError)


def test_an_expired_deadline_is_a_timeout_too():
    assert issubclass(Expired, Timeout)
    assert issubclass(Expired, NotSent)


def test_what_cannot_be_packed_is_a_type_error_too():
    assert issubclass(SerializationError, TypeError)
    assert exceptions.ConfigurationError is ConfigurationError


def test_a_remote_error_is_caught_by_its_name():
    with pytest.raises(RemoteError.ValueError, match='no good') as caught:
        raise RemoteError.named('ValueError', 'no good')
    assert caught.value.type == 'ValueError'
    assert isinstance(caught.value, RemoteError)
    assert type(caught.value).__name__ == 'ValueError'
    assert not isinstance(caught.value, ValueError)


def test_a_remote_error_of_another_name_is_not_caught():
    assert not isinstance(RemoteError.named('KeyError', 'x'), RemoteError.ValueError)


def test_there_is_one_class_for_a_name():
    assert RemoteError.ValueError is RemoteError.ValueError
    assert type(RemoteError.named('ValueError', '')) is RemoteError.ValueError
    assert RemoteError.ValueError is not RemoteError.KeyError


def test_classes_that_nobody_refers_to_are_forgotten():
    forgotten = weakref.ref(type(RemoteError.named('NeverAgain', '')))
    gc.collect()
    assert forgotten() is None
    kept = RemoteError.NeverAgain
    gc.collect()
    assert RemoteError.NeverAgain is kept


@pytest.mark.parametrize('name', ['__wrapped__', '_private', 'no name', '', 'a.b'])
def test_what_is_no_name_of_a_class_is_no_attribute(name):
    with pytest.raises(AttributeError, match='has no attribute'):
        getattr(RemoteError, name)


@pytest.mark.parametrize('name', ['a\0b', 'no name', ''])
def test_a_peer_that_sends_no_name_gets_the_plain_class(name):
    error = RemoteError.named(name, 'text')
    assert type(error) is RemoteError
    assert (error.type, str(error)) == (name, 'text')


class OwnKind(RemoteError.ValueError):
    """A class of an author, below one that is made on demand."""


ERRORS = [
    Timeout('late'),
    NotConnected('gone'),
    Refused('too much', 'overloaded'),
    Failed('broke'),
    Nack('no', 'draining'),
    RemoteError('text', 'ValueError'),
    RemoteError.named('ValueError', 'no good'),
    RemoteError.named('SomethingRare', 'seldom'),
    RemoteError.ValueError('raised here'),
    RemoteError.ValueError('of another type', 'KeyError'),
    OwnKind('of an author'),
    WrongThread('a call was made'),
]


@pytest.mark.parametrize('error', ERRORS, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize(
    'again',
    [copy.copy, copy.deepcopy, lambda error: pickle.loads(pickle.dumps(error))],
    ids=['copy', 'deepcopy', 'pickle'],
)
def test_errors_can_be_copied_and_pickled(error, again):
    error.__notes__ = ['added on the way']
    other = again(error)
    assert type(other) is type(error)
    assert str(other) == str(error)
    assert vars(other) == vars(error)


def test_type_of_a_remote_error_is_the_name_of_its_class_unless_it_is_given():
    assert RemoteError.ValueError('no good').type == 'ValueError'
    assert OwnKind('no good').type == 'ValueError'
    assert RemoteError.ValueError('no good', 'KeyError').type == 'KeyError'
    assert RemoteError('no good').type == 'Exception'


@pytest.mark.parametrize('reason', ['deadline', 'caller gone', 'given up'])
def test_cancelled_keeps_its_reason_when_it_is_copied(reason):
    error = Cancelled(reason)
    for copied in (copy.copy(error), pickle.loads(pickle.dumps(error))):
        assert (type(copied), copied.reason, str(copied)) == (Cancelled, reason, str(error))


def test_cancelled_is_not_caught_by_except_exception():
    assert not issubclass(Cancelled, Exception)
