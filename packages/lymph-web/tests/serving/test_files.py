"""Files as answers: sent by the kernel where it can, whole or a range of them."""

from __future__ import annotations

import io
import os
from typing import Any

import pytest
from werkzeug.utils import send_file
from werkzeug.wrappers import Request, Response
from werkzeug.wsgi import wrap_file

from lymph.core.backends import get_ident

CONTENT = bytes(range(256)) * 4000  # more than is sent at once


@pytest.fixture
def path(tmp_path: Any) -> str:
    found = tmp_path / 'file.bin'
    found.write_bytes(CONTENT)
    return str(found)


@pytest.fixture
def asked(start_server: Any, connect: Any) -> Any:
    def ask(application: Any, *fields: str, method: str = 'GET') -> Any:
        client = connect(start_server(application))
        client.get('/', *fields, method=method)
        answer = client.answer(method)
        assert not answer.closes
        client.get('/', 'Range: bytes=0-0')  # the connection can be used again
        assert client.answer().status in (200, 206)
        return answer

    return ask


def plain(path: str, *fields: tuple[str, str], skipped: int = 0) -> Any:
    def application(environ: Any, start_response: Any) -> Any:
        file = open(path, 'rb')  # noqa: SIM115 - the server closes it
        file.seek(skipped)
        start_response('200 OK', list(fields))
        return environ['wsgi.file_wrapper'](file, 100)

    return application


def test_file_is_sent_from_its_current_position_with_its_length(asked, path):
    answer = asked(plain(path, skipped=10))
    assert answer.headers['content-length'] == str(len(CONTENT) - 10)
    assert answer.body == CONTENT[10:]


def test_no_more_of_a_file_is_sent_than_the_length_says(asked, path):
    assert asked(plain(path, ('Content-Length', '70000'))).body == CONTENT[:70000]


def test_head_of_a_file_has_its_length_and_no_body(asked, path):
    answer = asked(plain(path, ('Content-Length', '70000')), method='HEAD')
    assert answer.headers['content-length'] == '70000'


def test_file_that_is_too_short_closes_the_connection(start_server, connect, path):
    client = connect(start_server(plain(path, ('Content-Length', str(len(CONTENT) + 1)))))
    client.get()
    assert client.file.read().endswith(CONTENT)


def test_ranges_and_conditions_are_those_of_werkzeug(asked, path):
    @Request.application
    def application(request: Request) -> Response:
        return send_file(path, request.environ, conditional=True, mimetype='application/x')

    whole = asked(application)
    assert whole.body == CONTENT
    part = asked(application, 'Range: bytes=100000-299999')
    assert (part.status, part.body) == (206, CONTENT[100_000:300_000])
    assert asked(application, f'If-None-Match: {whole.headers["etag"]}').status == 304
    assert asked(application, 'Range: bytes=99999999-').status == 416


def test_file_is_closed_once_it_is_sent(asked, path):
    opened: list[Any] = []

    @Request.application
    def application(request: Request) -> Response:
        opened.append(open(path, 'rb'))  # noqa: SIM115 - the server closes it
        return Response(wrap_file(request.environ, opened[-1]), direct_passthrough=True)

    assert asked(application).body == CONTENT
    assert [file.closed for file in opened] == [True, True]


@pytest.mark.parametrize('kind', ['memory', 'pipe', 'text'])
def test_what_the_kernel_cannot_send_is_read(asked, path, kind):
    def application(environ: Any, start_response: Any) -> Any:
        if kind == 'memory':
            file: Any = io.BytesIO(CONTENT)
        elif kind == 'pipe':
            reading, writing = os.pipe()
            os.write(writing, CONTENT[:1000])
            os.close(writing)
            file = open(reading, 'rb')  # noqa: SIM115 - the server closes it
        else:
            file = Upper(open(path, 'rb'))  # noqa: SIM115 - the server closes it
        start_response('200 OK', [])
        return environ['wsgi.file_wrapper'](file)

    expected = {'memory': CONTENT, 'pipe': CONTENT[:1000], 'text': CONTENT.upper()}
    assert asked(application).body == expected[kind]


class Upper:
    """A file that reads other bytes than there are on the disk."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def read(self, size: int) -> bytes:
        return bytes(self._file.read(size)).upper()

    def fileno(self) -> int:
        return int(self._file.fileno())

    def close(self) -> None:
        self._file.close()


@pytest.mark.parametrize('field', ['X: whole', 'Range: bytes=1-'])
def test_what_is_not_in_memory_is_read_in_a_thread(asked, path, monkeypatch, field):
    warmed: list[tuple[int, int]] = []

    def cold(descriptor: int, buffers: Any, at: int, flags: int) -> int:
        raise BlockingIOError

    def pread(descriptor: int, size: int, start: int) -> bytes:
        assert get_ident() != loop
        warmed.append((start, size))
        return b''

    @Request.application
    def application(request: Request) -> Response:
        return send_file(path, request.environ, conditional=True, mimetype='application/x')

    loop = get_ident()
    monkeypatch.setattr(os, 'preadv', cold)
    monkeypatch.setattr(os, 'pread', pread)
    answer = asked(application, field)
    assert answer.body == CONTENT[-len(answer.body) :]
    assert sum(size for _, size in warmed) >= len(answer.body)
