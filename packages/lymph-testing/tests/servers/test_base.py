"""The life of a test server, shown on a small one: it answers once its file `answer` says so."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lymph.exceptions import LymphError
from lymph.testing._servers.base import Server, ServerFailed
from lymph.testing._servers.processes import GuardedProcess

UP = 'echo coming up; echo yes > answer; exec sleep 1000'
SILENT = 'echo thinking; exec sleep 1000'
BROKEN = 'echo port taken; exit 9'


class _Small(Server):
    name = 'Small'
    address = 'nowhere:1'

    def __init__(self, script: str, folder: Path | None = None, start_timeout: float = 60) -> None:
        super().__init__(folder, start_timeout=start_timeout)
        self.script = script

    def _spawn(self) -> GuardedProcess:
        (self.folder / 'answer').unlink(missing_ok=True)
        return GuardedProcess(
            ['/bin/sh', '-c', self.script],
            environment={'PATH': os.environ.get('PATH', os.defpath), 'HOME': str(self.folder)},
            folder=self.folder,
            log=self.log,
        )

    def _answers(self) -> bool:
        return (self.folder / 'answer').exists()


def test_server_answers_within_the_context_and_is_gone_after_it() -> None:
    with _Small(UP) as server:
        assert server.running
        assert (server.folder / 'answer').exists()
    assert not server.running


def test_close_removes_the_temporary_folder() -> None:
    with _Small(UP) as server:
        assert server.folder.is_dir()
    assert not server.folder.exists()


def test_given_folder_is_not_removed(tmp_path: Path) -> None:
    with _Small(UP, tmp_path / 'deep' / 'folder') as server:
        pass
    assert server.log.read_text() == 'coming up\n'
    assert server.folder == tmp_path / 'deep' / 'folder'


@pytest.mark.parametrize('end', [Server.stop, Server.kill])
def test_stopped_server_can_be_started_again(end: Callable[[Server], None]) -> None:
    with _Small(UP) as server:
        end(server)
        assert not server.running
        server.start()
        assert server.running


def test_starting_a_running_server_leaves_it_alone() -> None:
    with _Small(UP) as server:
        server.start()
        assert server.log_tail() == 'coming up'


def test_failure_of_a_server_that_ended_has_its_status_and_log(tmp_path: Path) -> None:
    with pytest.raises(ServerFailed) as caught, _Small(BROKEN, tmp_path):
        pass
    assert str(caught.value) == (
        'Small at nowhere:1 ended with exit status 9 before it answered; '
        f'the end of {tmp_path}/server.log:\nport taken'
    )


def test_failure_of_a_silent_server_has_its_log(
    tmp_path: Path, processes_of: Callable[[Path], set[int]]
) -> None:
    server = _Small(SILENT, tmp_path, start_timeout=0.3)
    with pytest.raises(
        ServerFailed, match=r'did not answer within 0\.3 s; the end of .*'
    ) as caught:
        server.start()
    assert str(caught.value).endswith('thinking')
    assert not server.running
    assert not processes_of(tmp_path)


def test_server_errors_are_lymph_errors() -> None:
    assert issubclass(ServerFailed, LymphError)


def test_end_of_the_log_has_the_requested_length(tmp_path: Path) -> None:
    server = _Small(UP, tmp_path)
    assert server.log_tail() == ''
    server.log.write_text('one\ntwo\nthree\n')
    assert server.log_tail(2) == 'two\nthree'


def test_pausing_and_stopping_a_server_that_does_not_run_does_nothing() -> None:
    server = _Small(UP)
    server.pause()
    server.resume()
    server.stop()
    server.close()
    assert not server.running
