"""The `lymph` command in processes of its own, with their own folder and state."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from lymph.testing.waiting import eventually

LYMPH = Path(sys.executable).parent / 'lymph'

#: Seconds that a process of a test gets; far more than it needs.
PATIENCE = 30.0

ECHO = """
import sys, time
import lymph

class Echo(lymph.Interface):
    @lymph.rpc()
    def upper(self, text=None):
        '''Return the text in capital letters.'''
        return text.upper()

    @lymph.rpc()
    def give_back(self, value):
        return value

    @lymph.rpc()
    def measure(self):
        return float('nan')

    @lymph.rpc(raises=ValueError)
    def refuse(self):
        raise ValueError('not today')

    @lymph.rpc()
    def take(self, seconds):
        print('taking')
        time.sleep(seconds)
        return 'taken'
"""


@dataclass(frozen=True)
class Finished:
    """How a command ended and what it printed."""

    exit_code: int
    stdout: str
    stderr: str


class Running:
    """A command that was started; what it prints is kept in files."""

    def __init__(self, process: subprocess.Popen[bytes], stdout: Path, stderr: Path) -> None:
        self.process = process
        self.pid = process.pid
        self._stdout = stdout
        self._stderr = stderr

    @property
    def stdout(self) -> str:
        return self._stdout.read_text()

    @property
    def stderr(self) -> str:
        return self._stderr.read_text()

    def said(self, text: str) -> None:
        """Wait until the command has printed a text, on stdout or stderr."""
        eventually(
            lambda: text in self.stdout or text in self.stderr,
            PATIENCE,
            lambda: f'{text!r} in {self.stdout + self.stderr!r}',
        )

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for the end; return the exit code as a shell reports it."""
        code = self.process.wait(PATIENCE)
        return code if code >= 0 else 128 - code


def _hear_all() -> None:
    """Restore the signals that the starter of the tests ignores, as nohup does."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


class Shell:
    """A folder with its own environment, in which commands are run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.lymph = LYMPH
        self.environ = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(('LYMPH_', 'PYTEST_', 'COV_'))
            and name not in ('NO_COLOR', 'PYTHONUNBUFFERED')
        }
        self.environ['LYMPH_STATE_DIR'] = str(folder / 'state')
        self._started: list[Running] = []

    def write(self, name: str, text: str) -> Path:
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        return path

    def run(self, *arguments: str, input: str = '') -> Finished:
        """Run `lymph` with these arguments to its end."""
        done = subprocess.run(
            [LYMPH, *arguments],
            cwd=self.folder,
            env=self.environ,
            input=input,
            capture_output=True,
            text=True,
            timeout=PATIENCE,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def start_redirected(self, redirection: str, *arguments: str) -> Running:
        """Start `lymph` with redirections of a shell, such as `>&-`."""
        script = f'exec "$@" {redirection}'
        return self.start('-c', script, 'sh', str(LYMPH), *arguments, program='/bin/sh')

    def run_redirected(self, redirection: str, *arguments: str) -> Finished:
        """Run `lymph` with redirections of a shell to its end."""
        running = self.start_redirected(redirection, *arguments)
        return Finished(running.end(), running.stdout, running.stderr)

    def run_in_deleted_folder(self, *arguments: str) -> Finished:
        """Run `lymph` with these arguments in a deleted folder."""
        script = 'mkdir gone && cd gone && rmdir ../gone && exec "$@"'
        running = self.start('-c', script, 'sh', str(LYMPH), *arguments, program='/bin/sh')
        return Finished(running.end(), running.stdout, running.stderr)

    def python(self, script: str, *arguments: str) -> Finished:
        """Run a script in Python to its end."""
        done = subprocess.run(
            [sys.executable, '-c', script, *arguments],
            cwd=self.folder,
            env=self.environ,
            capture_output=True,
            text=True,
            timeout=2 * PATIENCE,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def start(
        self,
        *arguments: str,
        stdin: int = subprocess.DEVNULL,
        stdout: int | None = None,
        stderr: int | None = None,
        program: Path | str = LYMPH,
        pass_fds: Sequence[int] = (),
    ) -> Running:
        """Start `lymph` with these arguments; `stdout`, `stderr`: descriptors instead of files."""
        number = len(self._started)
        files = self.folder / f'{number}.out', self.folder / f'{number}.err'
        with files[0].open('wb') as out, files[1].open('wb') as err:
            process = subprocess.Popen(
                [program, *arguments],
                cwd=self.folder,
                env=self.environ,
                stdin=stdin,
                stdout=out if stdout is None else stdout,
                stderr=err if stderr is None else stderr,
                preexec_fn=_hear_all,
                pass_fds=pass_fds,
            )
        running = Running(process, *files)
        self._started.append(running)
        return running

    def start_echo(self, *arguments: str) -> Running:
        """Start an instance of the service `echo` and wait until it is registered."""
        self.write('echo_service.py', ECHO)
        self.write('echo.yml', 'interfaces: {echo: {class: "echo_service:Echo"}}\n')
        running = self.start('instance', '--config=echo.yml', *arguments)
        running.said('echo at tcp://')
        return running

    def close(self) -> None:
        for running in self._started:
            if running.process.poll() is None:
                running.signal(signal.SIGKILL)
            running.process.wait(PATIENCE)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    shell = Shell(tmp_path)
    yield shell
    shell.close()


@pytest.fixture(scope='module')
def shared_shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """Return one that the tests of a module share."""
    shell = Shell(tmp_path_factory.mktemp('shared'))
    yield shell
    shell.close()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        '--accept-texts',
        action='store_true',
        help='Write what commands print into cli/texts instead of comparing it; run no other test.',
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption('accept_texts'):
        items[:] = [item for item in items if item.path.name == 'test_texts.py']
