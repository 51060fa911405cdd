"""What authors see of errors in their own code: one line, then the frames of their files."""

from __future__ import annotations

import re
import sys
from typing import Any

import pytest

CONFIG = """
interfaces:
    shop:
        class: "service:Shop"
"""

CLASS = """
import lymph

class Shop(lymph.Interface):
"""

# where Python says that a decorator failed: before 3.11, at the `def` below it
DECORATOR = 5 if sys.version_info >= (3, 11) else 6

#: code, the place and the cause in the first line, and the lines of the user's files below it
FAILING = {
    'syntax': ('def f(:', "4: interfaces.shop.class: importing 'service:Shop'", 'SyntaxError', 1),
    'missing module': (
        'import no_such_thing',
        "interfaces.shop.class: importing 'service:Shop' failed at service.py:1",
        "ModuleNotFoundError: No module named 'no_such_thing'; install it",
        1,
    ),
    'missing module of a module': (
        'import other',
        'failed at other.py:1',
        "No module named 'no_such_thing'",
        2,
    ),
    'in a function, below a library': (
        'import json\ndef load(text):\n    return json.loads(text)\nload("{")',
        'failed at service.py:3',
        'JSONDecodeError',
        2,
    ),
    'class attribute': (f'{CLASS}    x = {{}}["y"]', 'failed at service.py:5', "KeyError: 'y'", 2),
    'exit': ('import sys\nsys.exit(7)', 'failed at service.py:2', 'SystemExit: 7', 1),
    'no exception': (
        'import asyncio\nraise asyncio.CancelledError',
        'failed at service.py:2',
        'CancelledError',
        1,
    ),
    'circle': ('from service import Shop', 'failed at service.py:1', 'circular import', 1),
    'decorator': (
        f'{CLASS}    @lymph.rpc\n    def buy(self): ...',
        f'failed at service.py:{DECORATOR}',
        'TypeError: write @lymph.rpc() with parentheses',
        2,
    ),
    'coroutine': (
        f'{CLASS}    @lymph.rpc()\n    async def buy(self): ...',
        f'failed at service.py:{DECORATOR}',
        'found an async function; write `def`',
        2,
    ),
    'missing distribution': (
        'from lymph import no_such_part',
        'failed at service.py:1',
        "cannot import name 'no_such_part'",
        1,
    ),
    'making': (
        f'{CLASS}    def apply_config(self, config):\n        {{}}["y"]',
        '3: interfaces.shop: making the interface failed at service.py:6',
        "KeyError: 'y'",
        1,
    ),
    'starting': (
        f'{CLASS}    def on_start(self):\n        raise RuntimeError("one\\n\\x1b[2Jtwo")',
        '3: interfaces.shop: on_start failed at service.py:6',
        r'RuntimeError: one \x1b[2Jtwo',
        1,
    ),
    'signature': (
        f'{CLASS}    def __init__(self): ...',
        'interfaces.shop: making the interface failed',
        'TypeError',
        0,
    ),
}


@pytest.mark.parametrize('case', FAILING)
def test_error_in_the_code_is_one_line_and_then_the_frames_of_its_files(
    quick_shell: Any, case: str
) -> None:
    code, place, cause, frames = FAILING[case]
    quick_shell.write('conf.yml', CONFIG)
    quick_shell.write('service.py', f'{code}\n')
    quick_shell.write('other.py', 'import no_such_thing\n')
    done = quick_shell.run('instance', '-c', 'conf.yml')
    assert (done.exit_code, done.stdout) == (2, '')
    first, *rest = done.stderr.splitlines()
    assert first.startswith('lymph: conf.yml:')
    assert place in first
    assert cause in first
    files = re.findall(r'^  File "(.*)", line', '\n'.join(rest), re.M)
    assert len(files) == frames
    assert all(file.startswith(str(quick_shell.folder)) for file in files)
    assert len(rest) < 20
    assert '\x1b' not in done.stderr


def test_everything_is_shown_at_debug(quick_shell: Any) -> None:
    quick_shell.write('conf.yml', CONFIG)
    quick_shell.write('service.py', 'import no_such_thing\n')
    done = quick_shell.run('instance', '-c', 'conf.yml', '--loglevel=debug')
    assert done.exit_code == 2
    assert 'lymph/core/assembly.py' in done.stderr
    assert 'service.py", line 1' in done.stderr


def test_failed_call_in_on_start_is_a_failure_with_its_place(quick_shell: Any) -> None:
    quick_shell.write('conf.yml', CONFIG)
    quick_shell.write(
        'service.py',
        f'{CLASS}    bank = lymph.proxy("bank")\n'
        '    def on_start(self):\n        self.bank.open()\n',
    )
    done = quick_shell.run('instance', '-c', 'conf.yml')
    assert done.exit_code == 1
    assert 'interfaces.shop: on_start failed at service.py:7: LookupFailure' in done.stderr


@pytest.mark.parametrize(
    ('section', 'place'),
    [
        (
            'dependencies: {db: {class: "parts:failing"}}\n'
            'interfaces: {a: {class: "parts:A", db: "dep:db"}}',
            'conf.yml:1: dependencies.db: making the object failed at parts.py:4',
        ),
        (
            'components: {c: {class: "parts:Failing"}}\ninterfaces: {a: {class: "parts:B"}}',
            'conf.yml:1: components.c: on_start failed at parts.py:8',
        ),
        (
            'plugins: {p: {class: "parts:FailingPlugin"}}\ninterfaces: {a: {class: "parts:B"}}',
            'conf.yml:1: plugins.p: making the plugin failed at parts.py:12',
        ),
        (
            'container: {registry: {class: "parts:Registry"}}\ninterfaces: {a: {class: "parts:B"}}',
            'conf.yml:1: container.registry: making the object failed at parts.py:16',
        ),
    ],
)
def test_error_of_any_part_is_at_the_place_that_names_it(
    quick_shell: Any, section: str, place: str
) -> None:
    quick_shell.write('conf.yml', section)
    quick_shell.write('parts.py', PARTS)
    done = quick_shell.run('instance', '-c', 'conf.yml')
    assert done.exit_code == 2
    first, *rest = done.stderr.splitlines()
    assert place in first
    assert 'ZeroDivisionError' in first
    assert not any('lymph/' in line for line in rest)


PARTS = """import lymph, lymph.core.components, lymph.core.plugins
from lymph.discovery.static import StaticServiceRegistry
def failing():
    1 / 0

class Failing(lymph.core.components.Component):
    def on_start(self):
        1 / 0

class FailingPlugin(lymph.core.plugins.Plugin):
    def __init__(self, container, config):
        1 / 0

class Registry(StaticServiceRegistry):
    def __init__(self):
        1 / 0
    from_config = None

class A(lymph.Interface):
    def apply_config(self, config):
        config['db']

class B(lymph.Interface):
    pass
"""


def test_plugin_of_the_command_line_that_exits_is_listed_as_broken(shell: Any) -> None:
    shell.write(
        'site/evil-1.5.dist-info/METADATA', 'Metadata-Version: 2.1\nName: evil\nVersion: 1\n'
    )
    shell.write(
        'site/evil-1.5.dist-info/entry_points.txt', '[lymph.cli]\nevil = evil_command:command\n'
    )
    shell.write('site/evil_command.py', 'raise SystemExit("\\x1b[2J")\n')
    shell.environ['PYTHONPATH'] = str(shell.folder / 'site')
    listed = shell.run('list')
    assert listed.exit_code == 0
    assert 'cannot be loaded: SystemExit' in listed.stdout
    assert '\x1b' not in listed.stdout
    done = shell.run('evil')
    assert done.exit_code == 2
    assert '\x1b' not in done.stderr


def test_bug_is_shown_with_all_its_frames(shell: Any) -> None:
    done = shell.python(
        'import sys; from lymph.cli._program import main, program\n'
        'program.program.invoke = lambda context: 1 / 0\n'
        'sys.exit(main.main(["list"]))'
    )
    assert done.exit_code == 1
    assert done.stderr.startswith('lymph: unexpected error, please report it: ZeroDivisionError')
    assert 'lymph/cli/_program/command_line.py' in done.stderr
