"""`lymph dashboard` as a process; what the dashboard does is tested in lymph-web."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import urllib.error
import urllib.request
from typing import Any
from urllib.parse import urlsplit

import pytest

from lymph.testing.waiting import eventually

WITHOUT_WEB = """
import sys
sys.modules['lymph.web'] = None
from lymph.cli._program.main import main
sys.exit(main(['dashboard', '--port', '0']))
"""


def status(url: str, **fields: str) -> int:
    request = urllib.request.Request(url, headers=fields)
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


def start(shell: Any, *options: str) -> tuple[Any, str, str]:
    """Start a dashboard; return it, the URL of its page, and the token."""
    running = shell.start('dashboard', *options)
    running.said('Ctrl-C ends')
    url = urlsplit(running.stdout.strip())
    assert url.query.startswith('token=')
    return running, f'http://{url.netloc}/', url.query.removeprefix('token=')


def test_url_is_printed_when_the_page_is_served_and_ctrl_c_is_quiet(shell: Any) -> None:
    running, url, token = start(shell, '--port=0')
    assert status(url) == 200
    assert status(f'{url}data/services/none') == 401
    assert status(f'{url}data/dead-letters', Authorization=f'Bearer {token}') == 200
    running.signal(signal.SIGINT)
    assert running.end() == 130
    assert running.stderr.splitlines() == ['the dashboard is ready; Ctrl-C ends']


def test_services_are_found_by_the_configuration_and_the_dashboard_is_none(shell: Any) -> None:
    shell.start_echo()
    _, url, token = start(shell, '--port=0')
    assert status(f'{url}data/services/echo', Authorization=f'Bearer {token}') == 200
    found = json.loads(shell.run('discover', '--json').stdout)
    assert [*found] == ['echo'], found


def test_each_start_has_a_token_of_its_own(shell: Any) -> None:
    (_, _, one), (_, other, two) = start(shell, '--port=0'), start(shell, '--port=0')
    assert one != two
    assert status(f'{other}data/dead-letters', Authorization=f'Bearer {one}') == 401


def test_page_changes_nothing_with_read_only(shell: Any) -> None:
    running, url, token = start(shell, '--port=0', '--read-only')
    assert 'for reading only' in running.stderr
    connection = http.client.HTTPConnection(urlsplit(url).netloc, timeout=30)
    fields = {'Authorization': f'Bearer {token}', 'Content-Type': 'application/json'}
    connection.request('POST', '/api/echo/upper', b'{}', fields)
    assert connection.getresponse().status == 403
    connection.close()


def bound(taken: socket.socket) -> bool:
    """Listen at the usual port; return whether it was free."""
    try:
        taken.bind(('127.0.0.1', 8900))
    except OSError:
        return False
    taken.listen()
    return True


def test_another_port_is_taken_if_the_usual_one_is_in_use(shell: Any) -> None:
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        eventually(lambda: bound(taken), 60)  # others may have it for a while
        _, url, _ = start(shell)
        assert urlsplit(url).port != 8900
        assert status(url) == 200


def test_whoever_opens_it_to_other_machines_is_warned(shell: Any) -> None:
    running, url, _ = start(shell, '--port=0', '--host=0.0.0.0')
    assert urlsplit(url).hostname == '127.0.0.1'
    assert 'not encrypted' in running.stderr


def test_host_name_that_was_given_is_one_that_is_answered(shell: Any) -> None:
    _, url, _ = start(shell, '--port=0', '--host=localhost')
    assert urlsplit(url).hostname == 'localhost'
    assert status(url) == 200


def test_missing_browser_is_told(shell: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ('DISPLAY', 'WAYLAND_DISPLAY'):
        shell.environ.pop(name, None)
    running = shell.start('dashboard', '--port=0', '--open')
    running.said('open the URL yourself')


def test_missing_distribution_is_named(shell: Any) -> None:
    done = shell.python(WITHOUT_WEB)
    assert done.exit_code == 1
    [line] = done.stderr.splitlines()
    assert line.endswith('which is not installed; pip install lymph-web')
