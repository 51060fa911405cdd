"""What proxies say about a request, and from whom it is believed."""

from __future__ import annotations

import ipaddress
import re
from typing import Any

import pytest
from gevent import socket
from hypothesis import example, given, settings
from hypothesis import strategies as st
from werkzeug.routing import Map, Rule
from werkzeug.utils import redirect
from werkzeug.wrappers import Response

import lymph
from lymph.config import Configuration
from lymph.web._http.authorities import is_authority
from lymph.web._options.proxies import TrustedProxies
from lymph.web._proxies.believing import believe_forwarded, believe_x_forwarded, prefix_in
from lymph.web._proxies.nodes import NetworkNode, parse_node
from lymph.web.interfaces import WebServiceInterface

TRUSTED = ['10.0.0.0/8', '::1', '2001:db8:1::/48', 'unix']
PEER, CLIENT = '10.0.0.1', '198.51.100.7'


def proxies(trusted: Any = TRUSTED, **keys: Any) -> TrustedProxies:
    found = TrustedProxies.from_config(Configuration({'trusted_proxies': trusted, **keys}).view([]))
    assert found is not None
    return found


def arrived(fields: dict[str, str], peer: str | None = PEER, **keys: Any) -> dict[str, Any]:
    environ: dict[str, Any] = {
        'wsgi.url_scheme': 'http',
        'HTTP_HOST': 'internal:8080',
        'SCRIPT_NAME': '',
        'PATH_INFO': '/a',
        'HTTP_ACCEPT': '*/*',
    }
    if peer is not None:
        environ |= {'REMOTE_ADDR': peer, 'REMOTE_PORT': '4711'}
    environ |= {f'HTTP_{name.upper().replace("-", "_")}': text for name, text in fields.items()}
    proxies(**keys).arrive(environ)
    return environ


def client_of(*fields: tuple[str, str], peer: str | None = PEER) -> str | None:
    return arrived(dict(fields), peer).get('REMOTE_ADDR')


@pytest.mark.parametrize(
    ('text', 'node'),
    [
        ('192.0.2.43', NetworkNode('192.0.2.43')),
        ('192.0.2.43:47011', NetworkNode('192.0.2.43', '47011')),
        ('192.0.2.43:_obscured', NetworkNode('192.0.2.43')),
        ('2001:DB8:0::17', NetworkNode('2001:db8::17')),
        ('[2001:db8:cafe::17]', NetworkNode('2001:db8:cafe::17')),
        ('[2001:db8:cafe::17]:4711', NetworkNode('2001:db8:cafe::17', '4711')),
        ('::ffff:192.0.2.43', NetworkNode('192.0.2.43')),
        ('[::ffff:192.0.2.43]:1', NetworkNode('192.0.2.43', '1')),
    ],
)
def test_node_is_an_address_with_or_without_a_port(text, node):
    assert parse_node(text) == node


@pytest.mark.parametrize(
    'text',
    [
        *('', ' ', 'unknown', '_gazonk', 'example.org', '192.0.2', '192.0.2.256', '192.0.2.043'),
        *('192.0.2.43:', '192.0.2.43:65536', '192.0.2.43:-1', '192.0.2.43:1:2', '192.0.2.43 x'),
        *('[192.0.2.43]', '[2001:db8::1', '2001:db8::1]', '[::1]4711', '[::1]:x', '[fe80::1%eth0]'),
        *('fe80::1%eth0', '"192.0.2.43"', '1' * 200, '\u0661.2.3.4', '192.0.2.43\n'),
    ],
)
def test_other_text_is_not_a_node(text):
    assert parse_node(text) is None


@pytest.mark.parametrize(
    ('said', 'peer', 'client'),
    [
        (CLIENT, PEER, CLIENT),
        (f'{CLIENT}:1234', PEER, CLIENT),
        (f'6.6.6.6, {CLIENT}', PEER, CLIENT),
        (f'6.6.6.6, {CLIENT}, 10.0.0.3, 10.0.0.2', PEER, CLIENT),
        ('10.0.0.3,10.0.0.2', PEER, '10.0.0.3'),  # a client inside the network of the proxies
        (f'6.6.6.6, rubbish, {CLIENT}', PEER, CLIENT),
        (f'{CLIENT}, rubbish, 10.0.0.2', PEER, '10.0.0.2'),
        (f'{CLIENT}, , 10.0.0.2', PEER, '10.0.0.2'),
        (f'{CLIENT}, unknown', PEER, PEER),
        ('', PEER, PEER),
        (CLIENT, '::1', CLIENT),
        (CLIENT, '::ffff:10.0.0.1', CLIENT),
        (CLIENT, '2001:db8:1::5', CLIENT),
        ('[2001:db8:2::1]:9, [2001:db8:1::1]:8', '::1', '2001:db8:2::1'),
        ('2001:db8:2::1, ::1', PEER, '2001:db8:2::1'),
        (CLIENT, None, CLIENT),  # over a unix socket
        (CLIENT, '', CLIENT),
        (CLIENT, '203.0.113.9', '203.0.113.9'),
        (CLIENT, '2001:db8:2::1', '2001:db8:2::1'),
        (CLIENT, 'nonsense', 'nonsense'),
    ],
)
def test_client_is_the_first_address_from_the_right_that_is_not_trusted(said, peer, client):
    assert client_of(('X-Forwarded-For', said), peer=peer) == client


@pytest.mark.parametrize(
    ('said', 'client', 'scheme', 'host'),
    [
        (f'for={CLIENT}', CLIENT, 'http', 'internal:8080'),
        (f'For="{CLIENT}:4711";Proto=HTTPS;host=example.org', CLIENT, 'https', 'example.org'),
        ('for="[2001:db8:2::1]:4711"', '2001:db8:2::1', 'http', 'internal:8080'),
        (f'for=6.6.6.6;proto=ftp, for={CLIENT} ; proto=https', CLIENT, 'https', 'internal:8080'),
        (
            f'for={CLIENT};proto=https;host=a.org, for=10.0.0.2;proto=http;host=b.org',
            *(CLIENT, 'https', 'a.org'),
        ),
        (f'for={CLIENT}, for=10.0.0.2;proto=https', CLIENT, 'https', 'internal:8080'),
        ('for=unknown;proto=https, for=10.0.0.2', '10.0.0.2', 'https', 'internal:8080'),
        (f'for={CLIENT}, for=_hidden;proto=https', PEER, 'https', 'internal:8080'),
        ('proto=https', PEER, 'https', 'internal:8080'),
        (f'for={CLIENT};host="a b"', CLIENT, 'http', 'internal:8080'),
        (f'for={CLIENT};host="a\\.org"', CLIENT, 'http', 'a.org'),
        (f'for={CLIENT};by="_a,b";proto=https', CLIENT, 'https', 'internal:8080'),
        # malformed elements, and whatever is left of them
        (f'for="6.6.6.6, for={CLIENT}', CLIENT, 'http', 'internal:8080'),
        (f'for={CLIENT}, for=10.0.0.2;for=10.0.0.3', PEER, 'http', 'internal:8080'),
        (f'for={CLIENT}, for 10.0.0.2', PEER, 'http', 'internal:8080'),
        (f'for={CLIENT}, for=2001:db8::1;proto=https', PEER, 'http', 'internal:8080'),
        (f'for={CLIENT}, for=example.org;proto=https', PEER, 'http', 'internal:8080'),
        (f'for={CLIENT},', PEER, 'http', 'internal:8080'),
        (f'for={CLIENT},' + ' ' * 2000, PEER, 'http', 'internal:8080'),
    ],
)
def test_forwarded_is_read_from_the_right_element_by_element(said, client, scheme, host):
    environ = arrived({'Forwarded': said})
    found = environ['REMOTE_ADDR'], environ['wsgi.url_scheme'], environ['HTTP_HOST']
    assert found == (client, scheme, host)


@pytest.mark.parametrize(
    ('fields', 'scheme', 'host', 'root'),
    [
        ({'Proto': 'https'}, 'https', 'internal:8080', ''),
        ({'Proto': 'HTTPS', 'Host': 'Example.org:444'}, 'https', 'Example.org:444', ''),
        ({'Host': '[2001:db8::1]', 'Port': '8443'}, 'http', '[2001:db8::1]:8443', ''),
        ({'Host': 'example.org:1', 'Port': '443', 'Proto': 'https'}, 'https', 'example.org', ''),
        ({'Port': '080'}, 'http', 'internal', ''),
        ({'Port': '81'}, 'http', 'internal:81', ''),
        ({'Prefix': '/shop/'}, 'http', 'internal:8080', '/shop'),
        ({'Prefix': '/'}, 'http', 'internal:8080', ''),
        ({'Prefix': '/a%20b/%C3%A4'}, 'http', 'internal:8080', '/a b/\xc3\xa4'),
        # one proxy: what is left of its own value is not its own
        ({'For': CLIENT, 'Proto': 'https, http'}, 'http', 'internal:8080', ''),
        ({'For': CLIENT, 'Host': 'evil.org, example.org'}, 'http', 'example.org', ''),
        # two proxies, which add, or of which the last one replaces
        ({'For': f'{CLIENT}, 10.0.0.2', 'Proto': 'http,https,http'}, 'https', 'internal:8080', ''),
        ({'For': f'{CLIENT}, 10.0.0.2', 'Proto': 'https'}, 'https', 'internal:8080', ''),
        ({'For': f'{CLIENT}, 10.0.0.2', 'Prefix': '/x, /a, /b'}, 'http', 'internal:8080', '/a'),
        # rubbish
        ({'Proto': 'ftp', 'Host': 'a b', 'Port': '0', 'Prefix': 'a'}, 'http', 'internal:8080', ''),
        ({'Proto': '', 'Host': '', 'Port': '', 'Prefix': ''}, 'http', 'internal:8080', ''),
        ({'Host': 'a@b', 'Port': '65536', 'Prefix': '//evil.org'}, 'http', 'internal:8080', ''),
        ({'Port': '\xb2', 'Prefix': '/a/../b'}, 'http', 'internal:8080', ''),
        ({'Prefix': '/%2e%2e/a'}, 'http', 'internal:8080', ''),
        ({'Prefix': '/%0d%0aSet-Cookie:a'}, 'http', 'internal:8080', ''),
        ({'Prefix': '/%2fevil.org'}, 'http', 'internal:8080', ''),
        ({'Prefix': '/a?b'}, 'http', 'internal:8080', ''),
    ],
)
def test_scheme_host_and_path_are_those_that_the_client_sees(fields, scheme, host, root):
    environ = arrived({f'X-Forwarded-{name}': text for name, text in fields.items()})
    found = environ['wsgi.url_scheme'], environ['HTTP_HOST'], environ['SCRIPT_NAME']
    assert found == (scheme, host, root)


def test_x_forwarded_fields_come_before_forwarded():
    both = {'X-Forwarded-For': CLIENT, 'Forwarded': 'for=6.6.6.6;proto=https;host=evil.org'}
    environ = arrived(both)
    assert (environ['REMOTE_ADDR'], environ['wsgi.url_scheme']) == (CLIENT, 'http')
    assert 'HTTP_FORWARDED' not in environ
    prefixed = arrived({'Forwarded': f'for={CLIENT}', 'X-Forwarded-Prefix': '/a'})
    assert (prefixed['REMOTE_ADDR'], prefixed['SCRIPT_NAME']) == (CLIENT, '/a')


def test_only_the_chosen_fields_are_believed():
    both = {
        'X-Forwarded-For': '6.6.6.6',
        'X-Forwarded-Host': 'evil.org',
        'Forwarded': f'for={CLIENT}',
    }
    environ = arrived(both, proxy_headers=['forwarded'])
    assert (environ['REMOTE_ADDR'], environ['HTTP_HOST']) == (CLIENT, 'internal:8080')
    assert not any(key.startswith('HTTP_X_FORWARDED') for key in environ)


def test_fields_of_peers_that_are_not_trusted_are_removed():
    said = {'X-Forwarded-For': CLIENT, 'Forwarded': 'for=6.6.6.6', 'X-Forwarded-Prefix': '/a'}
    environ = arrived(said, peer='203.0.113.9')
    assert set(environ.pop('lymph.received').values()) == set(said.values())
    assert environ == arrived({}, peer='203.0.113.9')
    assert 'lymph.from_proxy' not in environ


def test_handlers_see_the_believed_part_and_find_the_rest_under_lymph_received():
    environ = arrived({'X-Forwarded-For': f'6.6.6.6, {CLIENT}, 10.0.0.2', 'X-Forwarded-Proto': 'x'})
    assert environ['HTTP_X_FORWARDED_FOR'] == f'{CLIENT}, 10.0.0.2'
    assert 'HTTP_X_FORWARDED_PROTO' not in environ
    assert 'REMOTE_PORT' not in environ
    assert environ['lymph.from_proxy'] is True
    assert environ['lymph.received'] == {
        'HTTP_X_FORWARDED_FOR': f'6.6.6.6, {CLIENT}, 10.0.0.2',
        'HTTP_X_FORWARDED_PROTO': 'x',
        'REMOTE_ADDR': PEER,
        'REMOTE_PORT': '4711',
    }
    assert arrived({'X-Forwarded-For': f'{CLIENT}:99'})['REMOTE_PORT'] == '99'


def test_without_trusted_proxies_nothing_is_believed_or_removed():
    assert TrustedProxies.from_config(Configuration({}).view([])) is None


LEGAL = st.text(st.characters(min_codepoint=0x20, max_codepoint=0xFF), max_size=60)
ADDRESSES = st.ip_addresses().map(str)
OUTSIDE = ADDRESSES.filter(lambda each: not proxies().trusts(each))
INSIDE = st.sampled_from(['10.0.0.2', '10.255.255.255', '::1', '2001:db8:1::9'])


def written(address: str, kind: str) -> str:
    if kind == 'x':
        return address
    return f'for="[{address}]"' if ':' in address else f'for={address}'


@pytest.mark.parametrize('kind', ['x', 'rfc'])
@settings(max_examples=50)
@given(spoofed=LEGAL, client=OUTSIDE, inner=st.lists(INSIDE, max_size=4))
@example(spoofed='for="', client=CLIENT, inner=[])
@example(spoofed='for="\\', client=CLIENT, inner=['::1'])
@example(spoofed='a="b;', client=CLIENT, inner=['::1'])
def test_client_cannot_choose_its_address(kind, spoofed, client, inner):
    said = ', '.join([spoofed, *(written(each, kind) for each in (client, *inner))])
    believe = believe_forwarded if kind == 'rfc' else _believe_for
    found = believe(said, proxies().trusts)
    assert ipaddress.ip_address(found.client.address) == _plain(client)
    assert found.hops == len(inner) + 1


def _believe_for(said, is_trusted):
    return believe_x_forwarded(said, '', '', '', is_trusted)


def _plain(address: str) -> Any:
    parsed = ipaddress.ip_address(address)
    return getattr(parsed, 'ipv4_mapped', None) or parsed


NAMES = ['Forwarded', *(f'X-Forwarded-{each}' for each in ('For', 'Proto', 'Host', 'Port'))]
PIECES = st.sampled_from(
    [
        *'=,;"\\:[]_. /%',
        'for',
        'proto',
        'https',
        'host',
        'a.org',
        '10.0.0.2',
        '6.6.6.6',
        '::1',
        '443',
    ]
)
SAID = st.lists(PIECES, max_size=20).map(''.join) | LEGAL


@given(st.dictionaries(st.sampled_from([*NAMES, 'X-Forwarded-Prefix']), SAID))
def test_whatever_is_said_the_request_stays_valid(fields):
    environ = arrived(fields)
    assert parse_node(environ['REMOTE_ADDR']) is not None
    assert environ['wsgi.url_scheme'] in ('http', 'https')
    assert is_authority(environ['HTTP_HOST'])
    root = environ['SCRIPT_NAME']
    assert root == '' or (root.startswith('/') and not root.startswith('//'))
    assert environ['PATH_INFO'] == '/a'


@given(LEGAL)
@example('0//0')
@example('%2f')
@example('a/%2e')
def test_prefix_that_is_taken_is_a_plain_path(text):
    path = prefix_in('/' + text)
    assert path is None or not re.search(r'[\x00-\x1f\x7f?#\\]|//|/\.\.?/', path + '/')


@pytest.mark.parametrize(
    ('keys', 'text'),
    [
        ({'trusted_proxies': ['10.0.0.1/8']}, "did you mean '10.0.0.0/8'?"),
        ({'trusted_proxies': ['proxy.example.org']}, "such as '10.0.0.0/8'"),
        ({'trusted_proxies': '10.0.0.0/8'}, 'expected a list'),
        ({'trusted_proxies': [10]}, 'expected a list of text'),
        ({'trusted_proxies': ['::1'], 'proxy_headers': ['X-Forwarded-Fro']}, 'X-Forwarded-For'),
        ({'proxy_headers': ['Forwarded']}, 'no effect without trusted_proxies'),
    ],
)
def test_invalid_proxies_are_rejected(start_interface, keys, text):
    with pytest.raises(
        lymph.ConfigurationError, match=r'^interfaces\.web\.(trusted|proxy_)'
    ) as caught:
        start_interface(WebServiceInterface, keys)
    assert text in str(caught.value)


class Where(WebServiceInterface):
    url_map = Map([Rule('/where/', endpoint='where'), Rule('/away', endpoint='away')])

    def where(self, request):
        return Response(f'{request.remote_addr} {request.access_route} {request.url}')

    def away(self, request):
        return redirect('/where/')


SAID_BY_PROXY = {
    'X-Forwarded-For': f'6.6.6.6, {CLIENT}',
    'X-Forwarded-Proto': 'https',
    'X-Forwarded-Host': 'example.org',
    'X-Forwarded-Prefix': '/shop',
}


def test_handlers_logs_and_redirects_have_the_address_of_the_client(start_interface, caplog):
    caplog.set_level('INFO', 'lymph.web.access')
    web = start_interface(Where, {'trusted_proxies': ['127.0.0.0/8', 'unix']})
    lines = [f'{name}: {text}' for name, text in SAID_BY_PROXY.items()]
    expected = f"{CLIENT} ImmutableList(['{CLIENT}']) https://example.org/shop/where/"
    assert web.ask('/where/', *lines).body == expected.encode()
    assert web.client.get('/where/', headers=SAID_BY_PROXY).text == expected
    assert any(CLIENT in record.getMessage() for record in caplog.records)
    moved = web.client.get('/where', headers=SAID_BY_PROXY)
    assert moved.headers['Location'] == 'https://example.org/shop/where/'


def test_peers_on_a_unix_socket_can_be_trusted(start_interface, tmp_path):
    path = str(tmp_path / 'web')
    lines = [f'{name}: {text}' for name, text in SAID_BY_PROXY.items()]
    request = '\r\n'.join(['GET /where/ HTTP/1.1', 'Host: a', 'Connection: close', *lines, '', ''])
    for trusted, client in ([['unix'], CLIENT], [['10.0.0.0/8'], 'None']):
        web = start_interface(Where, {'listen': f'unix:{path}', 'trusted_proxies': trusted})
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(path)
            sock.sendall(request.encode())
            with sock.makefile('rb') as file:
                body = file.read().partition(b'\r\n\r\n')[2]
        assert body.startswith(f'{client} '.encode())
        web.stop()


def test_fields_are_plain_data_unless_proxies_are_configured(start_interface):
    web = start_interface(Where)
    text = web.client.get('/where/', headers=SAID_BY_PROXY).text
    assert text.endswith('http://localhost/where/')
    assert '6.6.6.6' in text
