"""Compressed answers: when, for whom, and that the decoded answer is the same."""

from __future__ import annotations

import gzip
import io
import zlib

import gevent
import pytest
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.routing import Map, Rule
from werkzeug.utils import send_file
from werkzeug.wrappers import Response

import lymph
from lymph.web._browsers.encodings import Wish, wish_of
from lymph.web._options.compression import Compression
from lymph.web.interfaces import WebServiceInterface

TEXT = b'compress me, ' * 400
GZIP = {'Accept-Encoding': 'gzip'}


class Pages(WebServiceInterface):
    url_map = Map(
        [
            *[
                Rule(f'/{name}', endpoint=name)
                for name in (
                    *('text', 'stream', 'plain', 'legacy', 'late', 'writing', 'file', 'tagged'),
                    *('lies', 'fail', 'large', 'broken', 'tiny'),
                )
            ],
            Rule('/typed/<path:kind>', endpoint='typed'),
            Rule('/with/<name>/<path:value>', endpoint='with_field'),
            Rule('/status/<int:code>', endpoint='status'),
            Rule('/size/<int:size>', endpoint='size'),
        ]
    )
    closed = 0

    def text(self, request):
        response = Response(TEXT, headers={'Accept-Ranges': 'bytes', 'Vary': 'Cookie'})
        response.call_on_close(self.close)
        return response

    def close(self):
        self.closed += 1

    def large(self, request):
        return Response(TEXT * 1000)

    def stream(self, request):
        response = Response(part for part in [b'first ', b'', b'second'])
        response.call_on_close(self.close)
        return response

    def broken(self, request):
        def parts():
            yield b'first'
            raise ValueError

        return Response(parts())

    def plain(self, request):
        def application(environ, start_response):
            start_response('200 OK', [('Content-Type', 'text/plain')])
            return [TEXT, TEXT]

        return application

    def late(self, request):
        def application(environ, start_response):
            start_response('200 OK', [('Content-Type', 'text/plain')])
            yield from [b'', TEXT, TEXT]

        return application

    def legacy(self, request):
        def application(environ, start_response):
            start_response('500 No', [('Content-Type', 'text/plain')])
            error = ValueError()
            start_response('200 OK', [('Content-Type', 'text/plain')], (ValueError, error, None))
            return [TEXT]

        return application

    def writing(self, request):
        def application(environ, start_response):
            start_response('200 OK', [('Content-Type', 'text/plain')])(TEXT)
            return [b'end']

        return application

    def tiny(self, request):
        def application(environ, start_response):
            start_response('200 OK', [('Content-Type', 'text/plain')])
            return [b'tiny']

        return application

    def lies(self, request):
        def application(environ, start_response):
            fields = [('Content-Type', 'text/plain'), ('Content-Length', '2000')]
            start_response('200 OK', fields)
            return [b'short']

        return application

    def file(self, request):
        return send_file(io.BytesIO(TEXT), request.environ, 'text/plain', conditional=True)

    def tagged(self, request):
        response = Response(TEXT)
        response.set_etag('abc')
        return response.make_conditional(request)

    def typed(self, request, kind):
        return Response(TEXT, content_type=kind)

    def with_field(self, request, name, value):
        return Response(TEXT, headers={name: value})

    def status(self, request, code):
        return Response(TEXT, code)

    def size(self, request, size):
        return Response(TEXT[:size])

    def fail(self, request):
        raise ValueError


@pytest.fixture
def serve(start_interface):
    return lambda compression=True: start_interface(Pages, {'compression': compression})


@pytest.fixture
def get(serve):
    web = serve()
    return lambda path, accept='gzip', **fields: web.client.get(
        path, headers={'Accept-Encoding': accept, **fields}
    )


def is_compressed(response):
    return response.headers.get('Content-Encoding') == 'gzip'


@pytest.mark.parametrize(
    ('text', 'wish'),
    [
        ('', Wish.IDENTITY),
        ('gzip', Wish.GZIP),
        ('GZIP', Wish.GZIP),
        ('x-gzip', Wish.GZIP),
        ('gzip, deflate, br', Wish.GZIP),
        ('br;q=1.0, gzip;q=0.8, *;q=0.1', Wish.GZIP),
        ('gzip;q=0.5', Wish.GZIP),
        ('gzip;q=0.001', Wish.GZIP),
        ('*', Wish.GZIP),
        ('deflate', Wish.IDENTITY),
        ('identity', Wish.IDENTITY),
        ('gzip;q=0', Wish.IDENTITY),
        ('gzip;q=0.000', Wish.IDENTITY),
        ('gzip;q=0, *', Wish.IDENTITY),
        ('*;q=0', Wish.IDENTITY),
        ('gzip;q=0.5, identity', Wish.IDENTITY),
        ('gzip;q=0.5, identity;q=0.5', Wish.GZIP),
        ('gzip;q=0.5, identity;q=0.6', Wish.IDENTITY),
        ('gzip, identity;q=0', Wish.GZIP_ONLY),
        ('gzip, *;q=0', Wish.GZIP_ONLY),
        ('gzip, identity;q=0.1, *;q=0', Wish.GZIP),
        ('*, identity;q=0', Wish.GZIP_ONLY),
        ('identity;q=0', Wish.IDENTITY),
        (' gzip ; q=1 ,', Wish.GZIP),
        ('gzip;q=2', Wish.IDENTITY),
        ('gzip;q=-1', Wish.IDENTITY),
        ('gzip;q=1.5', Wish.IDENTITY),
        ('gzip;q=x', Wish.IDENTITY),
        ('gzip;level=1', Wish.IDENTITY),
        ('gzip gzip', Wish.IDENTITY),
        (';;;,', Wish.IDENTITY),
        ('gzip,' * 5000, Wish.IDENTITY),
    ],
)
def test_encoding_is_negotiated_by_weights(text, wish):
    assert wish_of(text) is wish


@given(st.text(st.sampled_from('gzip*identity;q=01. ,'), max_size=40))
def test_any_accept_encoding_is_understood(text):
    assert wish_of(text) in Wish


def test_answer_is_compressed_for_a_client_that_accepts_it(serve):
    web = serve()
    response = web.client.get('/text', headers=GZIP, buffered=True)
    assert gzip.decompress(response.data) == TEXT
    assert response.headers['Content-Length'] == str(len(response.data))
    assert response.headers['Vary'] == 'Cookie, Accept-Encoding'
    assert 'Accept-Ranges' not in response.headers
    assert web.interface.closed == 1
    response = web.client.get('/text', buffered=True)
    assert (response.data, response.headers['Content-Length']) == (TEXT, str(len(TEXT)))
    assert response.headers['Vary'] == 'Cookie, Accept-Encoding'
    assert web.interface.closed == 2


@pytest.mark.parametrize('path', ['/plain', '/late', '/file', '/large', '/legacy'])
def test_every_kind_of_application_is_compressed(get, path):
    plain, response = get(path, 'identity'), get(path)
    assert is_compressed(response)
    assert gzip.decompress(response.data) == plain.data
    assert TEXT in plain.data


def test_parts_of_a_stream_can_be_decoded_as_they_arrive(serve):
    web = serve()
    response = web.client.get('/stream', headers=GZIP, buffered=False)
    decoder = zlib.decompressobj(31)
    parts = [decoder.decompress(part) for part in response.response if part]
    assert [part for part in parts if part] == [b'first ', b'second']
    assert decoder.eof
    assert 'Content-Length' not in response.headers
    response.close()
    assert web.interface.closed == 1


def test_data_that_an_application_writes_is_left_as_it_is(get):
    response = get('/writing')
    assert (is_compressed(response), response.data) == (False, TEXT + b'end')


def test_head_has_the_fields_of_the_compressed_answer(serve):
    response = serve().client.head('/text', headers=GZIP)
    assert (is_compressed(response), response.data) == (True, b'')
    assert 'Content-Length' not in response.headers


@pytest.mark.parametrize(
    ('kind', 'expected'),
    [
        ('text/html; charset=utf-8', True),
        ('application/json', True),
        ('application/problem+json', True),
        ('IMAGE/SVG+XML', True),
        ('image/png', False),
        ('application/zip', False),
        ('text/event-stream', False),
        ('video/mp4', False),
    ],
)
def test_only_types_that_get_shorter_are_compressed(get, kind, expected):
    response = get(f'/typed/{kind}')
    assert is_compressed(response) is expected
    assert ('Accept-Encoding' in response.headers.get('Vary', '')) is expected


@pytest.mark.parametrize(
    ('name', 'value'),
    [
        ('Content-Encoding', 'br'),
        ('Content-Encoding', 'identity'),
        ('Cache-Control', 'max-age=1, No-Transform'),
        ('Content-Range', 'bytes 0-1/2'),
        ('Repr-Digest', 'sha-256=:abc=:'),
    ],
)
def test_answers_that_must_not_change_are_not_compressed(get, name, value):
    response = get(f'/with/{name}/{value}')
    assert response.data == TEXT
    assert response.headers[name] == value


@pytest.mark.parametrize(('code', 'expected'), [(206, False), (404, True), (500, True)])
def test_errors_are_compressed_and_ranges_are_not(get, code, expected):
    assert is_compressed(get(f'/status/{code}')) is expected


def test_range_of_a_file_is_sent_as_it_is(get):
    response = get('/file', Range='bytes=0-9')
    assert (response.status_code, response.data) == (206, TEXT[:10])


def test_short_answers_are_compressed_only_for_clients_that_take_nothing_else(get):
    assert not is_compressed(get('/size/1023'))
    assert is_compressed(get('/size/1024'))
    only = 'gzip, identity;q=0'
    assert gzip.decompress(get('/size/1', only).data) == TEXT[:1]
    assert get('/size/0', only).data == b''
    assert is_compressed(get('/typed/image/png', only))


def test_etag_of_a_compressed_answer_is_weak_and_still_matches(get):
    assert get('/tagged', 'identity').headers['ETag'] == '"abc"'
    first = get('/tagged')
    assert (is_compressed(first), first.headers['ETag']) == (True, 'W/"abc"')
    again = get('/tagged', **{'If-None-Match': first.headers['ETag']})
    assert (again.status_code, again.headers['ETag']) == (304, 'W/"abc"')
    assert again.headers['Vary'] == first.headers['Vary'] == 'Accept-Encoding'
    again = get('/tagged', **{'If-None-Match': '"abc"'})
    assert (again.status_code, again.headers['ETag']) == (304, '"abc"')


def test_loop_runs_while_a_large_answer_is_compressed(serve):
    client = serve().client
    turns = []

    def turn():
        while True:
            turns.append(None)
            gevent.sleep(1e-6)

    greenlet = gevent.spawn(turn)
    response = client.get('/large', headers=GZIP, buffered=True)
    greenlet.kill()
    assert gzip.decompress(response.data) == TEXT * 1000
    assert len(turns) >= len(TEXT) * 1000 // (64 * 1024)


def test_real_server_sends_what_clients_can_decode(serve):
    web = serve()
    for path in ('/text', '/large', '/stream', '/late'):
        answer = web.ask(path, 'Accept-Encoding: gzip')
        plain = web.ask(path)
        assert (answer.status, answer.headers['content-encoding']) == (200, 'gzip')
        assert gzip.decompress(answer.body) == plain.body
    head = web.ask('/text', 'Accept-Encoding: gzip', method='HEAD')
    assert head.headers['content-encoding'] == 'gzip'


def test_answer_of_another_length_than_it_says_is_an_error(serve):
    web = serve()
    assert web.ask('/lies', 'Accept-Encoding: gzip').status == 500


def test_list_without_a_length_is_measured(get):
    assert not is_compressed(get('/tiny'))


def test_stream_that_fails_has_no_end(serve):
    data = serve().read('/broken', 'Accept-Encoding: gzip')
    assert b'Content-Encoding: gzip' in data
    assert not data.endswith(b'\r\n0\r\n\r\n')
    decoder = zlib.decompressobj(31)
    first = data.partition(b'\r\n\r\n')[2].partition(b'\r\n')[2]
    assert decoder.decompress(first).startswith(b'first')


def test_compression_is_off_by_default(start_interface):
    for keys in ({}, {'compression': False}):
        response = start_interface(Pages, keys).client.get('/text', headers=GZIP)
        assert (response.data, response.headers['Vary']) == (TEXT, 'Cookie')


def test_section_sets_sizes_and_types(serve):
    web = serve({'min_size': 10, 'types': ['image/*', 'text/event-stream'], 'level': 1})
    get = web.client.get
    assert is_compressed(get('/typed/image/png', headers=GZIP))
    assert is_compressed(get('/typed/text/event-stream', headers=GZIP))
    assert not is_compressed(get('/text', headers=GZIP))


def test_type_is_matched_as_a_whole():
    compression = Compression()
    assert compression.takes('text/plain')
    assert not any(map(compression.takes, ['', 'text', 'x-text/plain', 'application/jsonx']))


@pytest.mark.parametrize(
    ('compression', 'key'),
    [
        (5, ''),
        ('fast', ''),
        ([], ''),
        ({'level': 0}, '.level'),
        ({'level': 10}, '.level'),
        ({'min_size': 0}, '.min_size'),
        ({'types': 'text/*'}, '.types'),
        ({'types': ['text']}, '.types'),
        ({'types': [5]}, '.types'),
        ({'typs': []}, '.typs'),
    ],
)
def test_invalid_value_is_rejected_at_its_place(start_interface, compression, key):
    with pytest.raises(lymph.ConfigurationError) as caught:
        start_interface(Pages, {'compression': compression})
    assert str(caught.value).startswith(f'interfaces.web.compression{key}: ')
