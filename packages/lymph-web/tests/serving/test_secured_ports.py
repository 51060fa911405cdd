"""Interfaces with TLS and with unix sockets, and real clients of both."""

from __future__ import annotations

import http.client
import logging
import os
import ssl
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import gevent
import gevent.ssl
import pytest
from gevent import socket
from gevent.event import Event
from werkzeug.routing import Map, Rule
from werkzeug.utils import send_file
from werkzeug.wrappers import Response

from lymph.config import Configuration, ConfigurationError
from lymph.core.backends import get_ident
from lymph.core.container import ServiceContainer
from lymph.discovery.base import HTTP
from lymph.testing.waiting import eventually
from lymph.web.interfaces import WebServiceInterface

WAIT = 10.0  # longer than anything here takes
Pair = tuple[Path, Path]


class Secured(WebServiceInterface):
    go_on = Event()
    url_map = Map(
        [
            Rule('/', endpoint='index'),
            Rule('/size', endpoint='size'),
            Rule('/large', endpoint='large'),
            Rule('/cut', endpoint='cut'),
            Rule('/parts', endpoint='parts'),
            Rule('/file', endpoint='file'),
        ]
    )

    def index(self, request):
        return Response(f'{request.scheme} from {request.remote_addr or "a file"}')

    def size(self, request):
        return Response(str(len(request.get_data())))

    def large(self, request):
        return Response(b'x' * 5_000_000)

    def parts(self, request):
        def parts() -> Iterator[bytes]:
            yield b'first'
            assert self.go_on.wait(WAIT)
            yield b'second'

        return Response(parts())

    def file(self, request):
        return send_file(request.args['path'], request.environ, conditional=True)

    def cut(self, request):
        def parts() -> Iterator[bytes]:
            yield b'part'
            raise ValueError('broken')

        return Response(parts())


@pytest.fixture
def serve(new_container: Callable[[], ServiceContainer]) -> Callable[..., ServiceContainer]:
    """Return a function that starts an interface with a section."""

    def start(**section: Any) -> ServiceContainer:
        container = new_container()
        view = Configuration({'interfaces': {'shop': section}}).view('interfaces.shop')
        container.install_interface(Secured, 'shop', None, view)
        container.start()
        return container

    return start


@pytest.fixture
def secured(serve: Callable[..., ServiceContainer], pair: Pair) -> Any:
    tls = {'certificate': str(pair[0]), 'key': str(pair[1])}
    container = serve(tls=tls, header_timeout=0.5)
    (instance,) = container.registry.get('shop', HTTP)
    return instance


@pytest.fixture
def connect(secured: Any, pair: Pair) -> Iterator[Callable[[], Any]]:
    opened: list[Any] = []
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pair[0])
    # before Python 3.11.3 an end without close_notify passed for a clean one
    context.options &= ~ssl.OP_IGNORE_UNEXPECTED_EOF

    def open() -> Any:
        plain = socket.create_connection(('127.0.0.1', secured.http_port), timeout=WAIT)
        opened.append(context.wrap_socket(plain, server_hostname='localhost'))
        return opened[-1]

    yield open
    for each in opened:
        each.close()


class Client(http.client.HTTPConnection):
    """A client of the standard library on a socket that is connected already."""

    def __init__(self, sock: Any) -> None:
        super().__init__('localhost')
        self.sock = sock

    def ask(self, method: str, path: str, body: bytes | None = None) -> bytes:
        self.request(method, path, body)
        return self.getresponse().read()


def test_requests_over_tls_are_answered_on_one_connection(connect):
    client = Client(connect())
    assert client.ask('GET', '/') == b'https from 127.0.0.1'
    assert client.ask('POST', '/size', bytes(1_000_000)) == b'1000000'
    assert client.ask('GET', '/large') == b'x' * 5_000_000
    assert client.ask('GET', '/') == b'https from 127.0.0.1'


def test_each_part_of_a_stream_leaves_at_once_over_tls_too(connect):
    client = Client(connect())
    client.request('GET', '/parts')
    answer = client.getresponse()
    assert answer.read(5) == b'first'
    Secured.go_on.set()
    assert answer.read() == b'second'


def test_files_leave_whole_or_in_part_over_tls_and_are_read_in_a_thread(
    connect, tmp_path, monkeypatch
):
    path = tmp_path / 'file.bin'
    path.write_bytes(bytes(range(256)) * 1000)
    loop, read = get_ident(), []

    def cold(descriptor: int, buffers: Any, at: int, flags: int) -> int:
        raise BlockingIOError

    def pread(descriptor: int, size: int, start: int) -> bytes:
        assert get_ident() != loop
        read.append(size)
        return b''

    monkeypatch.setattr(os, 'preadv', cold)
    monkeypatch.setattr(os, 'pread', pread)
    client = Client(connect())
    assert client.ask('GET', f'/file?path={path}') == path.read_bytes()
    assert sum(read) >= 256_000
    client.request('GET', f'/file?path={path}', headers={'Range': 'bytes=1000-'})
    answer = client.getresponse()
    assert (answer.status, answer.read()) == (206, path.read_bytes()[1000:])


def test_drain_answers_a_connection_whose_handshake_has_not_begun(serve, pair):
    tls = {'certificate': str(pair[0]), 'key': str(pair[1])}
    container = serve(tls=tls)
    (instance,) = container.registry.get('shop', HTTP)
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(pair[0])
    with socket.create_connection(('127.0.0.1', instance.http_port), timeout=WAIT) as plain:
        draining = gevent.spawn(container.drain)
        eventually(lambda: container.draining)
        with context.wrap_socket(plain, server_hostname='localhost') as sock:
            client = Client(sock)
            client.request('GET', '/')
            answer = client.getresponse()
            assert answer.read() == b'https from 127.0.0.1'
            assert answer.will_close
        draining.get(timeout=WAIT)


@pytest.mark.parametrize(('ip', 'host'), [('::1', '::1'), ('::', '127.0.0.1')])
def test_clients_of_both_families_are_answered_and_have_their_usual_address(serve, ip, host):
    container = serve(ip=ip)
    (instance,) = container.registry.get('shop', HTTP)
    with socket.create_connection((host, instance.http_port), timeout=WAIT) as sock:
        assert Client(sock).ask('GET', '/') == f'http from {host}'.encode()


def test_instance_is_announced_with_its_scheme(secured):
    assert secured.http_url == f'https://127.0.0.1:{secured.http_port}'


def test_answer_that_ends_with_the_connection_is_told_from_one_that_was_cut(connect):
    for path, whole in (('/large', True), ('/cut', False)):
        sock = connect()
        sock.suppress_ragged_eofs = False  # an end without close_notify is an error
        sock.sendall(f'GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n'.encode())
        try:
            while sock.recv(65536):
                pass
        except ssl.SSLError:  # SSLEOFError, from Python 3.11.3 on
            assert not whole
        else:
            assert whole


def test_plain_request_at_a_port_with_tls_is_told_to_use_https(secured, caplog):
    with (
        caplog.at_level(logging.INFO, 'lymph.web'),
        socket.create_connection(('127.0.0.1', secured.http_port), timeout=WAIT) as sock,
    ):
        sock.sendall(b'GET / HTTP/1.1\r\nHost: a\r\n\r\n')
        with sock.makefile('rb') as file:
            answer = file.read()
    assert answer.startswith(b'HTTP/1.1 400 Bad Request\r\n')
    assert answer.endswith(b'use https:// in place of http://\n')
    (line,) = [each for each in caplog.messages if 'plain HTTP' in each]
    assert line.startswith('127.0.0.1:')


def test_handshake_that_does_not_end_is_given_up(secured):
    with socket.create_connection(('127.0.0.1', secured.http_port), timeout=WAIT) as sock:
        sock.sendall(b'\x16\x03\x01\x02')
        assert sock.recv(1) == b''


def test_tls_handshake_at_a_plain_port_is_refused_at_once(serve, caplog):
    container = serve(header_timeout=600)
    (instance,) = container.registry.get('shop', HTTP)
    context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    with (
        caplog.at_level(logging.INFO, 'lymph.web'),
        socket.create_connection(('127.0.0.1', instance.http_port), timeout=WAIT) as sock,
        pytest.raises(ssl.SSLError),
    ):
        context.wrap_socket(sock, server_hostname='localhost')
    (line,) = [each for each in caplog.messages if 'TLS handshake' in each]
    assert line.endswith('400 expected HTTP, found a TLS handshake: the port has no TLS')


def test_renewed_certificate_is_used_without_a_restart(serve, tmp_path, pair, other_pair):
    names = 'certificate', 'key'
    paths = [tmp_path / name for name in names]

    def install(new: Pair) -> None:
        for path, source in zip(paths, new, strict=True):
            path.write_bytes(source.read_bytes())

    def is_trusted(certificate: Path) -> bool:
        context = gevent.ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_verify_locations(certificate)
        with socket.create_connection(('127.0.0.1', port), timeout=WAIT) as sock:
            try:
                context.wrap_socket(sock, server_hostname='localhost').close()
            except ssl.SSLCertVerificationError:
                return False
        return True

    install(pair)
    container = serve(tls={**dict(zip(names, map(str, paths), strict=True)), 'reload': 0.1})
    (instance,) = container.registry.get('shop', HTTP)
    port = instance.http_port
    assert is_trusted(pair[0])
    install(other_pair)
    eventually(lambda: is_trusted(other_pair[0]), WAIT)
    assert not is_trusted(pair[0])


def test_unusable_certificate_is_an_error_at_its_key(serve, pair, other_pair, tmp_path):
    for tls, key, text in (
        ({'certificate': str(tmp_path / 'none.pem')}, 'certificate', 'No such file'),
        ({'certificate': str(pair[0]), 'key': str(other_pair[1])}, 'key', 'does not belong'),
        ({'certificate': str(pair[0])}, 'key', 'expected a private key'),
        ({'certificate': str(pair[0]), 'minimum': 1.1}, 'minimum', 'expected 1.2 or 1.3'),
    ):
        with pytest.raises(ConfigurationError, match=text) as caught:
            serve(tls=tls)
        assert caught.value.key == f'interfaces.shop.tls.{key}'


def test_requests_at_a_unix_socket_are_answered_and_nothing_is_announced(serve, tmp_path):
    path = tmp_path / 'web.sock'
    container = serve(listen=f'unix:{path}', listen_mode='0600')
    (instance,) = container.registry.get('shop', HTTP)
    assert (instance.http_port, instance.http_url) == (None, None)
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(WAIT)
        sock.connect(str(path))
        assert Client(sock).ask('GET', '/') == b'http from a file'
        container.drain()
    assert os.listdir(tmp_path) == []


def test_proxy_at_a_unix_socket_is_believed_if_that_is_configured(serve, tmp_path):
    path = tmp_path / 'web.sock'
    serve(listen=f'unix:{path}', trusted_proxies=['unix'])
    with socket.socket(socket.AF_UNIX) as sock:
        sock.settimeout(WAIT)
        sock.connect(str(path))
        client = Client(sock)
        fields = {'X-Forwarded-For': '203.0.113.9', 'X-Forwarded-Proto': 'https'}
        client.request('GET', '/', headers=fields)
        assert client.getresponse().read() == b'https from 203.0.113.9'


def test_address_that_cannot_be_used_is_an_error_that_says_what_to_do(serve, tmp_path):
    path = tmp_path / 'web.sock'
    serve(listen=f'unix:{path}')
    used = serve(reuse_port=False)
    (instance,) = used.registry.get('shop', HTTP)
    (tmp_path / 'file').write_text('')
    for section, key, text in (
        ({'listen': f'unix:{path}'}, 'listen', 'in use.; end the process that listens there'),
        ({'listen': f'unix:{tmp_path}/file'}, 'listen', 'not a socket.; move the file away'),
        ({'listen': f'unix:{tmp_path}/a/b'}, 'listen', 'make its folder first'),
        ({'listen': f'unix:/{"x" * 110}'}, 'listen', 'at most 107 bytes'),
        ({'listen': f'unix:{path}', 'port': 80}, 'port', 'there is `listen`, too'),
        (
            {'port': instance.http_port, 'reuse_port': True},
            'port',
            'have to set reuse_port, and belong to one user',
        ),
    ):
        with pytest.raises(ConfigurationError, match=text) as caught:
            serve(**section)
        assert caught.value.key == f'interfaces.shop.{key}'
