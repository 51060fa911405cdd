"""`lymph instance`: how it starts, how it stops, and what it prints."""

from __future__ import annotations

import os
import re
import signal
import socket
from typing import Any

import pytest

from lymph.testing.waiting import eventually

PATIENCE = 30.0


def test_instance_listens_at_the_given_address(shell: Any) -> None:
    with socket.create_server(('127.0.0.1', 0)) as probe:
        port = probe.getsockname()[1]
    echo = shell.start_echo('--ip=127.0.0.1', f'--port={port}')
    assert f'echo at tcp://127.0.0.1:{port}' in echo.stderr
    assert echo.stdout == ''


@pytest.mark.parametrize('number', [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_running_call_is_finished_before_the_end(shell: Any, number: int) -> None:
    echo = shell.start_echo()
    asking = shell.start('request', 'echo.take', 'seconds:=1.5', '--timeout=60')
    echo.said('taking')
    echo.signal(number)
    assert asking.end() == 0
    assert asking.stdout == "'taken'\n"
    assert echo.end() == 0
    assert shell.run('discover').stdout == ''


def test_second_signal_interrupts_running_calls(shell: Any) -> None:
    echo = shell.start_echo()
    asking = shell.start('request', 'echo.take', 'seconds:=600', '--timeout=600')
    echo.said('taking')
    echo.signal(signal.SIGTERM)
    echo.said('the next signal stops at once')
    echo.signal(signal.SIGTERM)
    assert echo.end() == 1
    assert asking.end() == 1
    assert len(asking.stderr.splitlines()) == 1


WEB = """
import time
from lymph.web import WebServiceInterface
from werkzeug.routing import Map, Rule

class Site(WebServiceInterface):
    url_map = Map([Rule('/', endpoint='slow')])

    def slow(self, request):
        print('answering')
        time.sleep(600)
"""


def test_second_signal_interrupts_http_requests(shell: Any) -> None:
    shell.write('pages.py', WEB)
    shell.write('web.yml', 'interfaces: {web: {class: "pages:Site"}}\n')
    web = shell.start('instance', '-c', 'web.yml')
    web.said('web at http://')
    address = re.search(r'web at http://([\d.]+):(\d+)', web.stderr)
    assert address is not None
    place = address[1], int(address[2])

    def is_closed() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(place) != 0

    with socket.create_connection(place) as client:
        client.sendall(b'GET / HTTP/1.1\r\nHost: x\r\n\r\n')
        web.said('answering')
        web.signal(signal.SIGTERM)
        eventually(is_closed, PATIENCE)  # the drain waits for the request
        web.signal(signal.SIGTERM)
        assert web.end() == 1
    assert 'stopped; requests cut short: 1' in web.stderr
    assert 'Traceback' not in web.stderr


def test_call_that_does_not_finish_in_time_is_interrupted(shell: Any) -> None:
    shell.write('.lymph.yml', 'container: {drain_timeout: 0.5}\n')
    echo = shell.start_echo()
    shell.start('request', 'echo.take', 'seconds:=600', '--timeout=600')
    echo.said('taking')
    echo.signal(signal.SIGTERM)
    assert echo.end() == 1


SLOW = """
import time
import lymph

class Slow(lymph.Interface):
    def on_start(self):
        print('starting')
        time.sleep(600)

    def on_stop(self):
        print('stopped')
"""


def test_a_start_can_be_interrupted(shell: Any) -> None:
    shell.write('slow.py', SLOW)
    shell.write('slow.yml', 'interfaces: {slow: {class: "slow:Slow"}}\n')
    slow = shell.start('instance', '-c', 'slow.yml')
    slow.said('starting')
    slow.signal(signal.SIGTERM)
    assert slow.end() == 0
    assert 'stopped' in slow.stdout
    assert 'Traceback' not in slow.stderr


@pytest.mark.parametrize(
    ('text', 'complaint'),
    [
        ('container: {}', 'interfaces: expected a service to run'),
        ('interfaces: {a: {}}', 'class'),
        ('interfaces: {a: {class: "nowhere:A"}}', "no module 'nowhere'"),
        ('interfaces: {a: {class: "os:getcwd"}}', 'Interface'),
        ('{container: {prt: 1}, interfaces: {a: {class: "x:A"}}}', "did you mean 'port'?"),
        ('{container: {registry: {class: zookeper}}, interfaces: {a: {class: "x:A"}}}',
         "did you mean 'zookeeper'?"),
        ('interfaces: [a', 'not valid YAML'),
    ],
)  # fmt: skip
def test_invalid_configuration_is_one_line_with_its_place(
    shell: Any, text: str, complaint: str
) -> None:
    shell.write('conf.yml', text)
    done = shell.run('instance', '-c', 'conf.yml')
    assert (done.exit_code, done.stdout) == (2, '')
    [line] = done.stderr.splitlines()
    assert line.startswith('lymph: conf.yml')
    assert complaint in line


def test_address_and_port_are_accepted_before_the_command_too(shell: Any) -> None:
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        shell.write('a.yml', 'interfaces: {echo: {class: "echo_service:Echo"}}\n')
        shell.write('echo_service.py', 'import lymph\nclass Echo(lymph.Interface): pass\n')
        done = shell.run('--ip=127.0.0.1', f'--port={port}', 'instance', '-c', 'a.yml')
        assert f'cannot listen at 127.0.0.1:{port}: ' in done.stderr
        done = shell.run('--port=1', 'instance', '-c', 'a.yml', f'--port={port}')
        assert f'cannot listen at 127.0.0.1:{port}: ' in done.stderr


def test_address_and_port_are_rejected_before_commands_that_do_not_listen(shell: Any) -> None:
    done = shell.run('--port=4123', 'discover')
    assert done.exit_code == 2
    assert '--port is for commands that listen, such as instance; not for discover' in done.stderr


@pytest.mark.parametrize('arguments', [('--port=70000', 'worker'), ('--ip=a b', 'instance')])
def test_options_before_the_command_are_checked_like_those_after_it(
    shell: Any, arguments: tuple[str, ...]
) -> None:
    done = shell.run(*arguments, '-c', 'a.yml')
    assert done.exit_code == 2
    assert 'Traceback' not in done.stderr


@pytest.mark.parametrize('ip', ['', 'a b', '127.0.0.1:80', '10.0.0.256'])
def test_invalid_address_is_one_line_about_the_option(shell: Any, ip: str) -> None:
    done = shell.run('instance', '-c', 'echo.yml', f'--ip={ip}')
    assert done.exit_code == 2
    assert '--ip: expected an IP address or a host name' in done.stderr


def test_port_in_use_is_one_line_and_exit_code_1(shell: Any) -> None:
    shell.start_echo()
    with socket.create_server(('127.0.0.1', 0)) as taken:
        port = taken.getsockname()[1]
        done = shell.run('instance', '-c', 'echo.yml', f'--port={port}')
    assert done.exit_code == 1
    [line] = done.stderr.splitlines()
    assert f'cannot listen at 127.0.0.1:{port}' in line


GREET = """
import lymph

class Greet(lymph.Interface):
    @lymph.rpc()
    def greet(self):
        return 'WORD'
"""


def test_an_instance_starts_again_when_its_source_changes(shell: Any) -> None:
    source = shell.write('greet.py', GREET.replace('WORD', 'hello'))
    shell.write('greet.yml', 'interfaces: {greet: {class: "greet:Greet"}}\n')
    greet = shell.start('instance', '-c', 'greet.yml', '--reload')
    greet.said('greet at tcp://')
    assert shell.run('request', 'greet.greet').stdout == "'hello'\n"
    rewrite(source, GREET + '    def broken(:\n')
    greet.said('not started again')
    rewrite(source, GREET.replace('WORD', 'good day'))
    greet.said('greet.py changed: starting again')
    eventually(lambda: greet.stderr.count('greet at tcp://') == 2, PATIENCE)
    assert shell.run('request', 'greet.greet').stdout == "'good day'\n"
    greet.signal(signal.SIGTERM)
    assert greet.end() == 0


def rewrite(file: Any, text: str) -> None:
    """Write a file atomically and with another modification time, even on a coarse clock."""
    new = file.with_suffix('.new')
    new.write_text(text)
    later = file.stat().st_mtime + 10
    os.utime(new, (later, later))
    new.replace(file)
