"""`make demo` works, ends by itself, leaves nothing running, and reports every failure."""

from __future__ import annotations

import os
import pathlib
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

ROOT = pathlib.Path(__file__).parents[1]


def run_demo(tmp_path: pathlib.Path, *path: str, **variables: str) -> tuple[int, str]:
    """Run the demo with these folders first on PATH; return its exit code and what it printed."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith('LYMPH_')}
    environment.pop('PYTHONUNBUFFERED', None)
    folders = [*path, str(ROOT / '.venv' / 'bin'), environment.get('PATH', os.defpath)]
    done = subprocess.run(
        ['sh', str(ROOT / 'examples' / 'demo.sh')],
        cwd=tmp_path,
        env={**environment, 'PATH': ':'.join(folders), 'TMPDIR': str(tmp_path), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
    )
    return done.returncode, done.stdout


def test_demo_runs_to_its_end(tmp_path):
    code, printed = run_demo(tmp_path)
    assert code == 0, printed
    for shown in ("'HELLO'", 'uppercase_transform_finished:', 'killed by SIGKILL', 'STILL HERE'):
        assert shown in printed
    assert not list(tmp_path.iterdir()), 'the demo leaves files behind'


# Answers as lymph does in the demo, at once. The instance of echo that the demo kills is a `sleep`.
FAKE_LYMPH = """#!/bin/sh
cd "$FAKE"
case "$*" in
node)
    trap 'kill $!; rm victim; echo "node   | nothing runs any more"; exit 0' TERM
    sleep 600 & echo $! >victim
    wait $!
    sleep 600 & echo $! >victim
    echo "node   | echo.1: started"
    wait ;;
'discover --json'*)
    if [ -e victim ]; then
        echo '{"echo": [{"pid": '$(cat victim)'}, {"pid": 0}],'
        echo '"demo": [{}], "web": [{"http_port": '$PORT'}]}'
    else
        echo "$LAST"
        [ "$LAST" ]
    fi ;;
'discover --instances') echo 'SERVICE  IDENTITY ' ;;
inspect*) echo 'echo.upper(text=None)' ;;
subscribe*) echo "uppercase_transform_finished: {'text': 'foo_1'}" ;;
*'still here'*) echo "'STILL HERE'" ;;
request*) echo "'HELLO'" ;;
'discover echo') echo 'echo     2          2 ' ;;
esac
"""

# Python starts with this: it prints piece by piece, as it may on a busy machine.
SLOW_PRINTING = """
import sys, time

class Slow:
    def write(self, text):
        sys.__stdout__.write(text)
        sys.__stdout__.flush()
        time.sleep(0.02)

    def flush(self):
        pass

sys.stdout = Slow()
"""


class Page(BaseHTTPRequestHandler):
    """The downloads of the demo."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'HELLO')

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def fake(tmp_path: pathlib.Path) -> Iterator[dict[str, str]]:
    """Make a folder with a fake lymph and a slow Python; return the variables that they need."""
    folder = tmp_path / 'fake'
    folder.mkdir()
    (folder / 'lymph').write_text(FAKE_LYMPH)
    (folder / 'lymph').chmod(0o755)
    (folder / 'sitecustomize.py').write_text(SLOW_PRINTING)
    with HTTPServer(('127.0.0.1', 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield {'FAKE': str(folder), 'PYTHONPATH': str(folder), 'PORT': str(server.server_port)}
        server.shutdown()
        thread.join()


def test_a_slow_command_is_read_to_its_end(tmp_path, fake):
    code, printed = run_demo(tmp_path, fake['FAKE'], LAST='{}', **fake)
    assert code == 0, printed
    assert printed.endswith('all went as it should\n')
    assert 'Traceback' not in printed


@pytest.mark.parametrize('last', ['', 'no JSON', '{"echo": [{"pid": 1}]}'])
def test_demo_fails_unless_the_registry_is_empty_at_its_end(tmp_path, fake, last):
    code, printed = run_demo(tmp_path, fake['FAKE'], LAST=last, **fake)
    assert code == 1, printed
    assert 'demo failed: not known to have stopped: ' in printed
    assert 'all went as it should' not in printed
