from __future__ import annotations

import collections
import os.path
import traceback
from collections.abc import Callable
from pathlib import Path

import pytest

from lymph.config import Location, PluginError, Position
from lymph.config.references import is_reference, load_reference, split_reference

Write = Callable[[str, str], object]
Publish = Callable[..., Path]
WHERE = Location('a.class', Position('conf.yml', 3))


@pytest.mark.parametrize(
    ('reference', 'parts'),
    [
        ('echo:Echo', ('echo', 'Echo')),
        ('a.b:C', ('a.b', 'C')),
        ('a.b:C.D', ('a.b', 'C.D')),
        ('lymph.events.null.NullEventSystem', ('lymph.events.null', 'NullEventSystem')),
    ],
)
def test_reference_has_a_module_and_a_name(reference: str, parts: tuple[str, str]) -> None:
    assert split_reference(reference) == parts
    assert is_reference(reference)


@pytest.mark.parametrize(
    'text', ['', 'echo', ':', 'a:', ':B', 'a:b:c', 'a b:C', 'a..b:C', '.a', '1:2']
)
def test_malformed_references_are_rejected(text: str) -> None:
    with pytest.raises(PluginError) as caught:
        load_reference(text, where=WHERE)
    expected = f'conf.yml:3: a.class: {text!r} is not of the form package.module:Name'
    assert str(caught.value) == expected


@pytest.mark.parametrize(
    ('reference', 'found'),
    [
        ('collections:OrderedDict', collections.OrderedDict),
        ('collections.OrderedDict', collections.OrderedDict),
        ('collections:OrderedDict.fromkeys', collections.OrderedDict.fromkeys),
        ('os.path:join', os.path.join),
    ],
)
def test_a_reference_is_loaded(reference: str, found: object) -> None:
    assert load_reference(reference) == found


@pytest.mark.parametrize(
    ('reference', 'error'),
    [
        ('nowhere_to_be:Found', "'nowhere_to_be:Found': no module 'nowhere_to_be'; check its name"),
        ('collections.nix:X', "'collections.nix:X': no module 'collections.nix'; check its name"),
        (
            'collections:OrderdDict',
            "'collections:OrderdDict': no 'OrderdDict' in module 'collections'; "
            "did you mean 'OrderedDict'?",
        ),
        ('collections:Qwxyz', "no 'Qwxyz' in module 'collections'; check the name"),
        ('collections:OrderedDict.fromkey', "no 'fromkey' in 'OrderedDict'; did you mean 'from"),
    ],
)
def test_missing_module_or_name_is_an_error_with_its_place(reference: str, error: str) -> None:
    with pytest.raises(PluginError) as caught:
        load_reference(reference, where=WHERE)
    assert str(caught.value).startswith('conf.yml:3: a.class: ')
    assert error in str(caught.value)


def test_an_import_error_from_inside_a_module_passes_unchanged(module: Write) -> None:
    module('needy_service', 'import not_installed_anywhere')
    with pytest.raises(ModuleNotFoundError, match='not_installed_anywhere') as caught:
        load_reference('needy_service:Service')
    frames = [frame.filename for frame in traceback.extract_tb(caught.tb)]
    assert frames[-1].endswith('needy_service.py')


@pytest.mark.parametrize(
    ('text', 'kind'),
    [('from os import nothing', ImportError), ('1 / 0', ZeroDivisionError), ('x =', SyntaxError)],
)
def test_exceptions_of_a_module_pass_unchanged(
    module: Write, text: str, kind: type[Exception]
) -> None:
    module('broken_service', text)
    with pytest.raises(kind):
        load_reference('broken_service:Service')


@pytest.mark.parametrize('reference', ['code:Echo', 'code.parts:Echo'])
def test_error_names_the_installed_module_that_hides_one_of_the_folder(
    write: Write, reference: str
) -> None:
    write('code.py', 'class Echo: ...')
    with pytest.raises(PluginError, match=r'; code\.py of this folder is hidden by .*code\.py'):
        load_reference(reference)


def test_file_in_a_folder_that_is_not_searched_is_missing_and_not_shadowed(
    write: Write,
) -> None:
    write('echo_of_here.py', 'class Echo: ...')
    with pytest.raises(PluginError, match=r"no module 'echo_of_here'; check .* on PYTHONPATH$"):
        load_reference('echo_of_here:Echo')


def test_error_about_a_file_name_in_a_reference_suggests_the_module() -> None:
    with pytest.raises(PluginError, match=r"names a file; name its module, 'echo:Echo'"):
        load_reference('echo.py:Echo')


@pytest.mark.parametrize(
    'source', ['raise SystemExit(3)', 'KNOWN = {5: "x"}', 'KNOWN = 5', 'KNOWN = {"b": 1, 2: 3}', '']
)
def test_damaged_packages_of_a_distribution_do_not_hide_the_error(
    publish: Publish, module: Write, source: str
) -> None:
    module('odd_packages', source)
    publish('odd-dist', '1', '[lymph.packages]\nodd = odd_packages:KNOWN\n')
    with pytest.raises(PluginError, match="'nowhere_to_be:X': no module 'nowhere_to_be'; check"):
        load_reference('nowhere_to_be:X')
