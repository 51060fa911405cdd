from __future__ import annotations

import ast
import importlib
import importlib.metadata
import inspect
import subprocess
import sys

import pytest

import lymph

HOMES = lymph._HOMES


@pytest.mark.parametrize('name', sorted(HOMES))
def test_every_name_is_what_its_home_has(name):
    assert getattr(lymph, name) is getattr(importlib.import_module(HOMES[name]), name)


@pytest.mark.parametrize('name', sorted(HOMES))
def test_every_name_is_public_at_its_home(name):
    assert name in importlib.import_module(HOMES[name]).__all__


def test_type_checkers_see_the_same_names():
    tree = ast.parse(inspect.getsource(lymph))
    (checked,) = (
        node
        for node in tree.body
        if isinstance(node, ast.If) and getattr(node.test, 'id', '') == 'TYPE_CHECKING'
    )
    seen = {
        alias.asname: imported.module
        for imported in checked.body
        if isinstance(imported, ast.ImportFrom)
        for alias in imported.names
    }
    assert seen == HOMES


def test_every_error_is_on_the_face():
    exceptions = importlib.import_module('lymph.exceptions')
    errors = {
        name
        for name in exceptions.__all__
        if inspect.isclass(found := getattr(exceptions, name)) and issubclass(found, BaseException)
    }
    assert errors <= HOMES.keys()


def test_dir_shows_the_names():
    assert HOMES.keys() <= set(dir(lymph))


def test_a_service_is_an_interface():
    assert lymph.Service is lymph.Interface


@pytest.mark.parametrize('name', ['Interfaec', 'nothing_here', '_private', '__wrapped__'])
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=f"module 'lymph' has no attribute {name!r}"):
        getattr(lymph, name)


def test_misspelt_name_is_told_with_the_one_that_was_meant():
    with pytest.raises(AttributeError, match=r'; did you mean lymph\.rpc\?$'):
        lymph.rcp  # noqa: B018 - asking for it is what raises


def test_a_star_cannot_hide_a_misspelt_import():
    with pytest.raises(ImportError, match='Interfaec'):
        exec('from lymph import Interfaec')


def in_new_process(code):
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_importing_the_face_loads_nothing_of_lymph_and_no_gevent():
    loaded = in_new_process("""
import sys
import lymph
print(*(name for name in sys.modules if name.startswith(('lymph.', 'gevent', 'zmq', 'msgpack'))))
""")
    assert loaded == []


def test_errors_load_no_gevent():
    loaded = in_new_process("""
import sys
import lymph
lymph.RemoteError.ValueError
print(*(name for name in sys.modules if name.startswith(('gevent', 'zmq', 'msgpack'))))
""")
    assert loaded == []


def test_subpackages_are_attributes_when_they_are_asked_for():
    said = in_new_process("""
import lymph
print(lymph.config.__name__, lymph.core.__name__, hasattr(lymph, 'no_such_package'))
""")
    assert said == ['lymph.config', 'lymph.core', 'False']


def test_the_version_is_that_of_the_distribution():
    assert lymph.__version__ == importlib.metadata.version('lymph-core')
    assert '__version__' in dir(lymph)


def test_the_version_is_read_when_it_is_asked_for_and_loads_nothing_of_lymph():
    program = (
        'import sys, lymph; print("importlib.metadata" in sys.modules); lymph.__version__; '
        'print(sorted(name for name in sys.modules if name.startswith(("lymph.", "gevent"))))'
    )
    done = subprocess.run(
        [sys.executable, '-S', '-c', f'import sys; sys.path[:0] = {sys.path!r}; {program}'],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.split('\n')[:2] == ['False', '[]']


def test_without_its_distribution_lymph_has_no_version(monkeypatch):
    vars(lymph).pop('__version__', None)
    monkeypatch.setattr(lymph, '_DISTRIBUTION', 'lymph-nowhere')
    with pytest.raises(AttributeError, match='distribution lymph-nowhere is not installed'):
        lymph.__version__  # noqa: B018 - reading it is what fails
