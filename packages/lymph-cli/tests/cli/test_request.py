"""`lymph request` for one call: what it prints, what it sends, and how it reports failures."""

from __future__ import annotations

import json
import re
import signal
import socket
from typing import Any

import pytest

PATIENCE = 30.0


@pytest.fixture(scope='module')
def echo(shared_shell: Any) -> Any:
    """An instance of `echo` that all tests here share."""
    return shared_shell.start_echo()


@pytest.fixture
def endpoint(echo: Any) -> str:
    return re.search(r'tcp://\S+', echo.stderr)[0]


@pytest.fixture
def ask(forking: Any, shared_shell: Any, echo: Any) -> Any:
    """Runs a command to its end, in the folder and with the registry of the instance."""

    def run(*arguments: str, input: str = '', **environ: str) -> Any:
        return forking.piped(
            arguments, shared_shell.folder, {**shared_shell.environ, **environ}, input.encode()
        )

    return run


def test_reply_is_printed_as_its_repr_or_as_json(ask: Any) -> None:
    assert ask('request', 'echo.upper', '{"text": "foo"}').stdout == "'FOO'\n"
    assert ask('request', 'echo.upper', 'text=foo', '--json').stdout == '"FOO"\n'
    merged = ask('request', 'echo.upper', '-', 'text=bar', input='{"text": "foo"}')
    assert merged.stdout == "'BAR'\n"


def test_values_without_a_json_type_are_converted(ask: Any) -> None:
    value = (
        'value:={"day": {"$date": "2024-02-29"}, "set": {"$set": [1]}, "raw": {"$bytes": "AA=="}}'
    )
    done = ask('request', 'echo.give_back', value)
    assert done.stdout == "{'day': datetime.date(2024, 2, 29), 'set': {1}, 'raw': b'\\x00'}\n"
    done = ask('request', 'echo.give_back', value, '--json')
    assert json.loads(done.stdout) == {'day': '2024-02-29', 'set': [1], 'raw': 'AA=='}


def test_characters_missing_from_the_locale_are_escaped(
    shared_shell: Any, echo: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(shared_shell.environ, 'PYTHONIOENCODING', 'ascii')
    assert shared_shell.run('request', 'echo.upper', 'text=\u00e9').stdout == "'\\xc9'\n"


def test_reply_that_json_cannot_represent_is_an_error_only_with_json(ask: Any) -> None:
    assert ask('request', 'echo.measure').stdout == 'nan\n'
    done = ask('request', 'echo.measure', '--json')
    assert (done.exit_code, done.stdout) == (1, '')
    assert 'leave --json out' in done.stderr


def test_endpoint_is_called_without_a_registry_and_headers_are_shown(
    ask: Any, endpoint: str
) -> None:
    # whoever looks for a registry there fails
    done = ask(
        *('request', 'echo.upper', 'text=foo', '--address', endpoint),
        *('--dump-headers', '--verbose', '--trace-id', 'ops-17'),
        LYMPH_STATE_DIR='/dev/null',
    )
    assert (done.exit_code, done.stdout) == (0, "'FOO'\n")
    first, *headers, last = done.stderr.splitlines()
    assert first == 'trace ops-17'
    assert headers[:2] == [f'> REQ echo.upper to {endpoint}', '> trace_id: ops-17']
    assert last == f'< REP from {endpoint}'


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (['echo.uper', 'text=foo'], 'did you mean echo.upper?'),
        (['ehco.upper', 'text=foo'], 'did you mean echo.upper?'),
        (['echo.upper', 'txet=1'], "did you mean 'text'?"),
        (['echo.give_back', 'valeu=1'], "did you mean 'value' for 'valeu'?"),
        (['ehco.upper', 'text=foo', '-a', 'ENDPOINT'], 'did you mean echo.upper?'),
        (['echo.upper', 'text=foo', '-a', 'ehco:12ab'], "did you mean 'echo'?"),
        (['echo.refuse'], 'echo.refuse raised ValueError: not today'),
        (['echo.upper@7', 'text=foo'], 'no instance of echo serves 7.0.0'),
        (['echo.take', 'seconds:=60', '--timeout=500ms'], 'no reply from echo.take'),
        (['echo.upper', '-a', 'tcp://127.0.0.1:1'], '127.0.0.1:1'),
        (['echo.take', 'seconds:=60', '--timeout=1ms', '-N1'], '1 of 1 calls failed'),
    ],
)
def test_failed_call_is_one_line_with_the_trace_id(
    ask: Any, endpoint: str, arguments: list[str], complaint: str
) -> None:
    arguments = [endpoint if each == 'ENDPOINT' else each for each in arguments]
    done = ask('request', *arguments, '--trace-id=ops-17')
    assert done.exit_code == 1
    assert done.stdout == '' or '-N1' in arguments
    [line] = done.stderr.splitlines()
    assert line.startswith('lymph: ')
    assert complaint in line
    assert line.count('(trace ops-17)') == 1


def test_event_that_cannot_be_sent_is_one_line_with_the_trace_id(
    ask: Any, shared_shell: Any
) -> None:
    shared_shell.write(
        'away.yml', 'container: {events: {class: kombu, urls: "amqp://127.0.0.1:1//"}}'
    )
    done = ask('emit', 'x', 'a=1', '--trace-id=ops-17', '-c', 'away.yml')
    assert (done.exit_code, done.stdout) == (1, '')
    [line] = done.stderr.splitlines()
    assert 'connection refused' in line
    assert line.count('(trace ops-17)') == 1


def test_error_names_the_trace_id_of_the_service_s_log(ask: Any, echo: Any) -> None:
    done = ask('request', 'echo.upper', 'text:=3', '--verbose')
    said, line = done.stderr.splitlines()
    trace_id = re.fullmatch('trace ([0-9a-f]{32})', said)[1]
    assert 'AttributeError' in line
    assert line.count(trace_id) == 1
    echo.said(trace_id)


@pytest.mark.parametrize(
    ('arguments', 'complaint'),
    [
        (['request', 'echo.upper', '--trace-id=a b'], 'letters, digits and ._:-'),
        (['request', 'echo.upper', '--address=127.0.0.1:1'], 'is written tcp://127.0.0.1:1'),
        (['request', 'echo.upper', '--dump-headers', '-N2'], '--dump-headers'),
        (['request', 'echo.upper', '--timeout=nan'], 'expected a time like 2.5'),
        (['request', 'echo.give_back', f'value:={10**30}'], 'value'),
        (['emit', 'x', '--trace-id='], 'letters, digits and ._:-'),
        (['emit', 'x', 'a=1', 'a=2'], "'a' is given twice"),
    ],
)
def test_wrong_usage_is_one_line_that_names_the_command(
    ask: Any, arguments: list[str], complaint: str
) -> None:
    done = ask(*arguments)
    assert (done.exit_code, done.stdout) == (2, '')
    [line] = done.stderr.splitlines()
    assert line.startswith(f'lymph {arguments[0]}: ')
    assert complaint in line


def test_waiting_call_can_be_interrupted(shared_shell: Any) -> None:
    with socket.create_server(('127.0.0.1', 0)) as silent:
        endpoint = f'tcp://127.0.0.1:{silent.getsockname()[1]}'
        asking = shared_shell.start('request', 'x.y', '-a', endpoint, '--timeout=600')
        silent.settimeout(PATIENCE)
        connection, _ = silent.accept()
        asking.signal(signal.SIGINT)
        assert asking.end() == 130
        assert asking.stderr == ''
        connection.close()


PLUGINS = """
import sys
import lymph

class Doubling(lymph.Plugin, lymph.Interceptor):
    kinds = ('call', 'emit')

    def intercept(self, work, proceed):
        if work.kind == 'emit':
            raise lymph.Refused('nothing is emitted here')
        work.arguments['text'] *= 2
        return proceed()

class Elsewhere(lymph.Plugin):
    def __init__(self, container, config):
        sys.exit('not for a client')
"""


def test_configured_interceptors_wrap_the_calls_of_commands(ask: Any, shared_shell: Any) -> None:
    """Other plugins are for services; commands that only ask load no plugin."""
    shared_shell.write('request_plugins.py', PLUGINS)
    shared_shell.write(
        'plugins.yml',
        'plugins:\n'
        '  a: {class: "request_plugins:Doubling"}\n'
        '  b: {class: "request_plugins:Elsewhere"}\n',
    )
    assert ask('request', 'echo.upper', 'text=foo', '-c', 'plugins.yml').stdout == "'FOOFOO'\n"
    emitted = ask('emit', 'a.b', '{}', '-c', 'plugins.yml')
    assert (emitted.exit_code, 'nothing is emitted here' in emitted.stderr) == (1, True)
    shared_shell.write('broken.yml', 'plugins: {a: {class: "no_such_module:Plugin"}}')
    broken = ask('request', 'echo.upper', 'text=foo', '-c', 'broken.yml')
    assert (broken.exit_code, broken.stderr.count('\n')) == (2, 1)
    assert 'broken.yml:1: plugins.a.class: ' in broken.stderr
    assert ask('request', '--address', 'echo', 'lymph.ping', '-c', 'broken.yml').exit_code == 0
    assert ask('discover', '-c', 'broken.yml').exit_code == 0


FAILING = """
import gevent
import lymph
from lymph.core.failures import Killed

class Failing(lymph.Plugin, lymph.Interceptor):
    kinds = ('call', 'emit')
    calls = 0

    def intercept(self, work, proceed):
        self.calls += 1
        if self.calls < self.config.get('after', 0):
            return proceed()
        raise eval(self.config['error'])
"""


@pytest.mark.parametrize(
    'error',
    ["KeyError('no')", "ValueError('no')", 'Killed', 'gevent.GreenletExit', 'lymph.Cancelled'],
)
def test_error_of_an_interceptor_is_shown_with_the_frames_of_its_file_only(
    ask: Any, shared_shell: Any, error: str
) -> None:
    shared_shell.write('failing_plugin.py', FAILING)
    plugin = f'class: "failing_plugin:Failing", error: "{error}"'
    shared_shell.write('failing.yml', f'plugins: {{a: {{{plugin}}}}}')
    shared_shell.write('later.yml', f'plugins: {{a: {{{plugin}, after: 5}}}}')
    for command in (
        ['request', 'echo.upper', 'text=foo', '-c', 'failing.yml'],
        ['request', 'echo.upper', 'text=foo', '-N9', '-C2', '-c', 'later.yml'],
        ['emit', 'a.b', '{}', '-c', 'failing.yml'],
    ):
        done = ask(*command)
        assert (done.exit_code, done.stdout) == (1, '')
        first, *rest = done.stderr.splitlines()
        assert first.startswith(f'lymph: {command[-1]}:1: plugins.a: the interceptor failed at ')
        assert 'failing_plugin.py:14: ' in first
        files = re.findall(r'^  File "(.*)", line', '\n'.join(rest), re.M)
        assert {file.rpartition('/')[2] for file in files} == {'failing_plugin.py'}
