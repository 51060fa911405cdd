"""An instance and a worker under a supervisor: their notifications, titles and pid files."""

from __future__ import annotations

import json
import re
import signal
import socket
from pathlib import Path
from typing import Any

import psutil
import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0

SITE = """
import os
import lymph

class Echo(lymph.Interface):
    def on_start(self):
        print({name for name in os.environ if name.startswith(('NOTIFY', 'WATCHDOG'))})

    @lymph.rpc()
    def upper(self, text):
        return text.upper()

    @lymph.task()
    def work(self):
        pass

class Site(lymph.Interface):
    def instance_facts(self):
        return {'http_port': 8080, 'ip': '::1'}

class Other(lymph.Interface):
    pass
"""

CONFIG = """
interfaces:
    echo@1.2: {class: "site_service:Echo"}
    site: {class: "site_service:Site"}
    other: {class: "site_service:Other"}
"""


@pytest.fixture
def systemd(shell: Any) -> Any:
    path = str(shell.folder / 'notify')
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listening:
        listening.bind(path)
        listening.settimeout(PATIENCE)
        shell.environ['NOTIFY_SOCKET'] = path
        shell.write('site_service.py', SITE)
        shell.write('site.yml', CONFIG)
        yield listening


def test_instance_supports_pid_file_title_and_systemd(shell: Any, systemd: Any) -> None:
    shell.environ['WATCHDOG_USEC'] = '100000'
    running = shell.start(
        '--pidfile=site.pid', '--isolated', 'instance', '--config=site.yml',
        '--interface=echo', '--interface=site',
    )  # fmt: skip
    ready, status = systemd.recv(4096).decode().split('\n')
    assert ready == 'READY=1'
    [line] = running.stderr.splitlines()
    assert status == f'STATUS={line}'
    endpoint = re.fullmatch(
        r'echo@1\.2\.0, site at tcp://127\.0\.0\.1:(\d+); site at http://\[::1\]:8080; '
        r'not registered; tasks of echo need a worker \(lymph worker\)',
        line,
    )
    assert endpoint is not None
    assert systemd.recv(4096) == b'WATCHDOG=1'
    assert running.stdout == 'set()\n'  # nothing of it is for children
    assert (shell.folder / 'site.pid').read_text() == f'{running.pid}\n'
    assert shell.run('discover').stdout == ''
    [title] = filter(None, psutil.Process(running.pid).cmdline())
    assert re.fullmatch(r'lymph instance [0-9a-f]{16}: echo@1\.2\.0, site', title)

    second = shell.run('instance', '-c', 'site.yml', f'--port={endpoint[1]}')
    assert second.exit_code == 1
    [line] = second.stderr.splitlines()
    assert f'Address already in use by {title} (process {running.pid}); give another' in line

    running.signal(signal.SIGTERM)
    eventually(lambda: b'STOPPING=1' in systemd.recv(4096), PATIENCE)
    assert running.end() == 0
    assert not (shell.folder / 'site.pid').exists()


def test_worker_takes_the_same_options_and_restarts_under_the_same_supervision(
    shell: Any, systemd: Any
) -> None:
    running = shell.start(
        '--interface=echo', '--reload', 'worker', '-c', 'site.yml', '--pidfile=w.pid'
    )
    assert systemd.recv(4096).startswith(b'READY=1\nSTATUS=echo.worker@1.2.0 at tcp://')
    found = json.loads(shell.run('discover', '--json', '--instances').stdout)
    assert list(found) == ['echo.worker']
    new = shell.write('new', SITE)
    Path(new).replace(shell.folder / 'site_service.py')
    assert systemd.recv(4096).startswith(b'READY=1\nSTATUS=echo.worker@1.2.0 at tcp://')
    assert (shell.folder / 'w.pid').read_text() == f'{running.pid}\n'
    [title] = filter(None, psutil.Process(running.pid).cmdline())
    assert re.fullmatch(r'lymph worker [0-9a-f]{16}: echo\.worker@1\.2\.0', title)
