from __future__ import annotations

import ast
import os
import subprocess
import sys


def test_patching_makes_the_standard_library_cooperative_and_may_be_repeated():
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            """
from lymph.monkey import patch
patch()
patch()
import socket, time
import gevent.socket, gevent.hub
assert socket.socket is gevent.socket.socket
assert time.sleep is gevent.hub.sleep
""",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, '')


PLUGINS = """
import sys
from lymph.monkey import patch
patch()
import strange
print(strange.told)
print('importlib.metadata' in sys.modules)
"""

STRANGE = """
from gevent.events import DoNotPatch

told = []

def told_of_module(event):
    told.append(event.module_name)

def no_subprocesses(event):
    if event.module_name == 'subprocess':
        raise DoNotPatch
"""


def test_plugins_of_gevent_are_told_without_reading_all_metadata(tmp_path):
    (tmp_path / 'strange.py').write_text(STRANGE)
    info = tmp_path / 'strange-1.0.dist-info'
    info.mkdir()
    (info / 'METADATA').write_text('Metadata-Version: 2.1\nName: strange\nVersion: 1.0\n')
    (info / 'entry_points.txt').write_text(
        '[gevent.plugins.monkey.will_patch_module]\nno = strange:no_subprocesses\n'
        '[gevent.plugins.monkey.did_patch_module]\ntold = strange:told_of_module [extra]\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', PLUGINS],
        env={**os.environ, 'PYTHONPATH': str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, '')
    told, loaded = done.stdout.splitlines()
    assert {'socket', 'ssl', 'threading'} <= set(ast.literal_eval(told))
    assert 'subprocess' not in told
    assert loaded == 'False'
