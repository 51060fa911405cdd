"""Hosts that requests may name: the key `hosts`."""

from __future__ import annotations

import pytest
from werkzeug.routing import Map, Rule
from werkzeug.wrappers import Response

import lymph
from lymph.config import Configuration
from lymph.web._options.hosts import Hosts
from lymph.web.interfaces import WebServiceInterface

LISTED = [
    *(
        'api.example.org',
        'Ported.Example.org:8443',
        'secure.example.org:443',
        'dotted.example.org.',
    ),
    *('*.apps.example.org', '*.ported.apps.org:81', 'localhost', '10.0.0.1', '[2001:db8::1]'),
    '[::1]:8080',
]


class Pages(lymph.Interceptor, WebServiceInterface):
    kinds = frozenset({'http'})
    url_map = Map([Rule('/page', endpoint='page')])
    seen = 0

    def intercept(self, work, proceed):
        self.seen += 1
        return proceed()

    def page(self, request):
        return Response(request.host)


def admits(host, scheme='http'):
    hosts = Hosts.from_config(Configuration({'hosts': LISTED}).view([]))
    assert hosts is not None
    first = hosts.admits(host, scheme)
    assert hosts.admits(host, scheme) is first
    return first


@pytest.mark.parametrize(
    ('host', 'scheme'),
    [
        ('api.example.org', 'http'),
        ('API.Example.ORG', 'https'),
        ('api.example.org.', 'http'),
        ('api.example.org:1234', 'http'),
        ('api.example.org.:1234', 'http'),
        ('ported.example.org:8443', 'https'),
        ('secure.example.org', 'https'),
        ('secure.example.org:443', 'http'),
        ('dotted.example.org', 'http'),
        ('a.apps.example.org', 'http'),
        ('A.b.apps.example.org.:5', 'http'),
        ('a.ported.apps.org:81', 'http'),
        ('localhost:8080', 'http'),
        ('10.0.0.1:8080', 'http'),
        ('[2001:DB8:0:0::1]', 'http'),
        ('[2001:db8::1]:9', 'http'),
        ('[0:0:0:0:0:0:0:1]:8080', 'http'),
    ],
)
def test_listed_hosts_are_admitted_in_every_spelling(host, scheme):
    assert admits(host, scheme)


@pytest.mark.parametrize(
    ('host', 'scheme'),
    [
        *((host, 'http') for host in ('', 'evil.org', 'example.org', 'x.api.example.org')),
        *((host, 'http') for host in ('api.example.org.evil.org', 'evilapi.example.org')),
        ('ported.example.org', 'https'),
        ('ported.example.org:8444', 'https'),
        ('secure.example.org', 'http'),
        ('apps.example.org', 'http'),
        ('evilapps.example.org', 'http'),
        ('.apps.example.org', 'http'),
        ('*.apps.example.org', 'http'),
        ('a.ported.apps.org', 'http'),
        ('x.localhost', 'http'),
        ('10.0.0.2', 'http'),
        ('[::1]', 'http'),
        ('::1', 'http'),
        ('[2001:db8::2]', 'http'),
        ('api.example.org..', 'http'),
        ('api.example.org:', 'http'),
        ('api.example.org:x', 'http'),
        ('api.example.org:80:80', 'http'),
        ('api.example.org@evil.org', 'http'),
        ('evil.org/api.example.org', 'http'),
        ('api.example.org, evil.org', 'http'),
        (' api.example.org', 'http'),
        ('api.example.org\n', 'http'),
        ('a' * 300 + '.apps.example.org', 'http'),
    ],
)
def test_other_hosts_are_refused(host, scheme):
    assert not admits(host, scheme)


def test_many_hosts_of_requests_are_forgotten_again():
    hosts = Hosts(frozenset({('a', None)}))
    assert not any(hosts.admits(f'evil-{number}', 'http') for number in range(3000))
    assert hosts.admits('a', 'http')
    assert len(hosts._known) <= 1024


def test_request_for_another_host_is_refused_before_anything_runs(start_interface):
    web = start_interface(Pages, {'hosts': ['api.example.org'], 'cors': {'origins': ['*']}})
    for path, method in (('/page', 'GET'), ('/nowhere', 'GET'), ('/page', 'OPTIONS')):
        answer = web.client.open(
            path,
            method=method,
            headers={
                'Host': 'evil.org:80',
                'Origin': 'http://evil.org',
                'Access-Control-Request-Method': 'PUT',
            },
        )
        assert (answer.status_code, answer.mimetype) == (421, 'application/problem+json')
        assert answer.json['title'] == 'Misdirected Request'
        assert answer.json['detail'] == "This server does not answer for the host 'evil.org:80'."
    assert web.interface.seen == 0
    answer = web.client.get('/page', headers={'Host': 'api.example.org:80'})
    assert (answer.status_code, web.interface.seen) == (200, 1)


def test_request_without_a_host_is_refused(start_interface):
    web = start_interface(Pages, {'hosts': ['localhost']})
    answer = web.client.get('/page', environ_overrides={'HTTP_HOST': ''})
    assert (answer.status_code, answer.json['status']) == (421, 421)


def test_health_is_answered_under_every_host(start_interface):
    web = start_interface(Pages, {'hosts': ['api.example.org']})
    assert web.client.get('/_health/', headers={'Host': '10.0.0.7'}).status_code == 200


@pytest.mark.parametrize('keys', [{}, {'hosts': None}])
def test_without_the_key_every_host_is_served(start_interface, keys):
    web = start_interface(Pages, keys)
    assert web.client.get('/page', headers={'Host': 'evil.org'}).text == 'evil.org'


@pytest.mark.parametrize(
    ('peer', 'host', 'forwarded', 'status'),
    [
        ('10.0.0.1', 'internal:8080', 'api.example.org', 200),
        ('10.0.0.1', 'api.example.org', 'evil.org', 421),
        ('10.0.0.1', 'api.example.org', None, 200),
        ('192.0.2.1', 'evil.org', 'api.example.org', 421),
        ('192.0.2.1', 'api.example.org', 'evil.org', 200),
    ],
)
def test_behind_a_trusted_proxy_the_host_of_its_client_counts(
    start_interface, peer, host, forwarded, status
):
    web = start_interface(Pages, {'hosts': ['api.example.org'], 'trusted_proxies': ['10.0.0.0/8']})
    headers = {'Host': host} | ({} if forwarded is None else {'X-Forwarded-Host': forwarded})
    answer = web.client.get('/page', headers=headers, environ_overrides={'REMOTE_ADDR': peer})
    assert answer.status_code == status


def test_server_refuses_other_hosts_and_goes_on_with_the_connection(start_interface, connect):
    web = start_interface(Pages, {'hosts': ['api.example.org', '[::1]']})
    client = connect(web.interface._server)
    for head, status in (
        ('GET /page HTTP/1.1\r\nHost: evil.org', 421),
        ('POST /page HTTP/1.1\r\nHost: evil.org\r\nContent-Length: 5\r\n\r\nhello', 421),
        ('GET http://evil.org/page HTTP/1.1\r\nHost: evil.org', 421),
        ('GET http://API.example.org/page HTTP/1.1\r\nHost: api.example.org', 200),
        ('GET /page HTTP/1.1\r\nHost: [0::1]:80', 200),
        ('GET /_health/ HTTP/1.1\r\nHost: 127.0.0.1', 200),
        ('GET /page HTTP/1.0', 421),
    ):
        client.send(head if head.endswith('hello') else f'{head}\r\n\r\n')
        assert client.answer().status == status, head
    assert client.at_end()  # as after every request of HTTP/1.0


@pytest.mark.parametrize(
    ('hosts', 'place', 'text'),
    [
        ('api.example.org', 'hosts', 'expected a list'),
        ([], 'hosts', 'leave it out for all'),
        (['a.org', '*'], 'hosts.1', "found '*'; leave the key out to answer for all"),
        (['https://a.org'], 'hosts.0', "found the URL 'https://a.org'; only its host is compared"),
        ([5], 'hosts.0', 'found 5; put it in quotes'),
        (['::1'], 'hosts.0', "found '::1'; write '[::1]'"),
        (['b\u00fccher.example'], 'hosts.0', "'xn--bcher-kva.example'"),
        (['*.10.0.0.1'], 'hosts.0', 'nothing is below an address'),
        (['*.[::1]'], 'hosts.0', 'nothing is below an address'),
        *(
            ([host], 'hosts.0', "expected a host such as 'api.example.org'")
            for host in ('', '*.', '*.*', 'a.*.org', '*a.org', 'a.org/', 'a b', 'a.org:0', 'a..org')
        ),
    ],
)
def test_invalid_hosts_are_rejected_at_their_place(start_interface, hosts, place, text):
    with pytest.raises(lymph.ConfigurationError) as caught:
        start_interface(Pages, {'hosts': hosts})
    assert str(caught.value).startswith(f'interfaces.web.{place}: ')
    assert text in str(caught.value)
    assert '\n' not in str(caught.value)
