"""The private Redis server: it answers, survives restarts and leaves nothing behind."""

from __future__ import annotations

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from lymph.testing.servers import RedisServer, ServerError, ServerMissing


def test_a_client_gets_what_it_sent(redis_server: RedisServer) -> None:
    assert redis_server.command('SET', 'written', 'grüße\nhere') == 'OK'
    assert redis_server.command('GET', 'written') == 'grüße\nhere'
    assert redis_server.command('GET', 'nowhere') == ''


def test_error_reply_of_redis_is_an_error(redis_server: RedisServer) -> None:
    with pytest.raises(ServerError, match='NOTHING: ERR unknown command'):
        redis_server.command('NOTHING')


def test_its_url_leads_to_it(redis_server: RedisServer) -> None:
    assert redis_server.url == f'redis://{redis_server.address}/0'


def test_settings_win_over_the_defaults(tmp_path: Path) -> None:
    settings = {'appendonly': 'no', 'requirepass': 'x'}
    server = RedisServer(tmp_path, settings=settings)
    with server, pytest.raises(ServerError, match='NOAUTH'):
        server.command('GET', 'anything')
    assert 'appendonly no\n' in (tmp_path / 'redis.conf').read_text()


def test_it_survives_a_kill_and_leaves_nothing_behind(
    tmp_path: Path, processes_of: Callable[[Path], set[int]], gone: Callable[[int], bool]
) -> None:
    with RedisServer(tmp_path) as server:
        server.command('SET', 'kept', 'through a crash')
        server.kill()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(('127.0.0.1', server.port))
        server.start()
        assert server.command('GET', 'kept') == 'through a crash'
        family = processes_of(tmp_path)
        assert family
    assert all(gone(pid) for pid in family)


def test_missing_redis_is_named_with_what_to_install(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv('PATH', str(tmp_path))
    with pytest.raises(ServerMissing, match='apt-get install redis-server'):
        RedisServer().start()
