"""Pages in a browser: real processes of services, a real Chromium.

playwright switches stacks in a way that does not go together with gevent. So the pytest of the
other tests starts a second one for the tests of this folder, and passes on its reports.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Page,
    Request,
    expect,
    sync_playwright,
)

from lymph.testing.waiting import eventually

PATIENCE = 30.0  # seconds that a process gets; far more than it needs
REPORTS = 'PAGE_TEST_REPORTS'
HERE = Path(__file__).parent
#: what browsers write for each answer that is an error, and for none
ANSWERED = re.compile(
    'Failed to load resource: (the server responded with a status|net::ERR_(FAILED|CONNECTION_'
    'REFUSED|CONNECTION_RESET|EMPTY_RESPONSE|INCOMPLETE_CHUNKED_ENCODING))'
)

#: Contrasts below what WCAG 2.2 AA demands, of all text that can be seen.
CONTRASTS = """() => {
  const numbers = (color) => color.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => {
    const parts = [r, g, b].map((each) => {
      const part = each / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2];
  };
  const behind = (element) => {
    for (let each = element; each; each = each.parentElement) {
      const color = numbers(getComputedStyle(each).backgroundColor);
      if (color.length < 4 || color[3] === 1) return color;
    }
    return canvas;
  };
  const probe = document.body.appendChild(document.createElement('p'));
  probe.style.backgroundColor = 'Canvas';
  const canvas = numbers(getComputedStyle(probe).backgroundColor);
  probe.remove();
  const found = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const element = texts.currentNode.parentElement;
    if (!texts.currentNode.data.trim() || !element.checkVisibility()) continue;
    if (element.closest(':disabled, .hidden, .skip, noscript, script')) continue;
    const pair = [light(numbers(getComputedStyle(element).color)), light(behind(element))];
    const contrast = (Math.max(...pair) + 0.05) / (Math.min(...pair) + 0.05);
    if (contrast < 4.5) found.push(`${contrast.toFixed(2)}: ${texts.currentNode.data.trim()}`);
  }
  return found;
}"""


if REPORTS in os.environ:

    def pytest_runtest_logreport(report: pytest.TestReport) -> None:
        facts = report._to_json()
        with Path(os.environ[REPORTS]).open('a') as file:
            file.write(json.dumps(facts) + '\n')

else:

    def pytest_runtest_protocol(item: pytest.Item) -> bool | None:
        if HERE not in item.path.parents:
            return None  # pytest asks the hooks of all folders
        session = item.session
        if not hasattr(session, 'page_reports'):
            session.page_reports = _run_all(session)  # type: ignore[attr-defined]
        reports = session.page_reports.get(item.nodeid)  # type: ignore[attr-defined]
        if reports is None:
            text = session.page_reports['']  # type: ignore[attr-defined]
            reports = [pytest.TestReport(item.nodeid, item.location, {}, 'failed', text, 'call')]
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for report in reports:
            item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True

    def _run_all(session: pytest.Session) -> dict[str, Any]:
        """Run the tests of this folder; return their reports, and below '' what was printed."""
        items = [each.nodeid for each in session.items if HERE in each.path.parents]
        folder = Path(session.config._tmp_path_factory.mktemp('page'))  # type: ignore[attr-defined]
        file = folder / 'reports'
        file.touch()
        process = subprocess.Popen(
            [
                sys.executable,
                '-m',
                'pytest',
                '-p',
                'no:cacheprovider',
                '-p',
                'no:schemathesis',
                *items,
            ],
            cwd=session.config.rootpath,
            env={**os.environ, REPORTS: str(file)},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        try:
            printed, _ = process.communicate(timeout=300)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # also the browser and the services
            printed, _ = process.communicate()
        reports: dict[str, Any] = {'': f'it did not run:\n{printed[-4000:]}'}
        for line in file.read_text().splitlines():
            report = pytest.TestReport._from_json(json.loads(line))
            reports.setdefault(report.nodeid, []).append(report)
        return reports


class Services:
    """Processes that run services."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.started: dict[str, subprocess.Popen[bytes]] = {}
        self._environ = {
            **{key: each for key, each in os.environ.items() if not key.startswith('LYMPH_')},
            'LYMPH_STATE_DIR': str(folder / 'state'),
            'PYTHONPATH': str(HERE / 'services'),
        }

    def start(self, name: str, interfaces: dict[str, Any], **sections: Any) -> None:
        """Start a process with these interfaces, and more sections of its configuration."""
        file = self.folder / f'{name}.yml'
        file.write_text(json.dumps({'interfaces': interfaces, **sections}))
        self.run(name, 'instance', '-c', str(file))

    def run(self, name: str, *arguments: str) -> None:
        """Start `lymph` with these arguments."""
        with self._log(name).open('wb') as log:
            self.started[name] = subprocess.Popen(
                [Path(sys.executable).parent / 'lymph', *arguments],
                env=self._environ,
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def finish(self, *commands: list[str]) -> None:
        """Run `lymph` with each of these arguments, at the same time, until all have ended."""
        for number, arguments in enumerate(commands):
            self.run(f'command{number}', *arguments)
        for number in range(len(commands)):
            self.started.pop(f'command{number}').wait(PATIENCE)

    def said(self, name: str, words: str = ' at tcp://') -> str:
        """Wait until a process has said these words; return all that it has said."""
        log = self._log(name)
        eventually(lambda: words in log.read_text(), PATIENCE, log.read_text)
        return log.read_text()

    def end(self, name: str) -> None:
        """End a process as an operator does, and wait for it."""
        self.started[name].terminate()
        self.started[name].wait(PATIENCE)

    def kill(self) -> None:
        for process in self.started.values():
            process.kill()
            process.wait(PATIENCE)

    def _log(self, name: str) -> Path:
        return self.folder / f'{name}.log'


@pytest.fixture(scope='session')
def new_services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[], Services]]:
    """Return a function that makes a folder with processes, which see each other and no others."""
    made: list[Services] = []

    def make() -> Services:
        made.append(Services(tmp_path_factory.mktemp('services')))
        return made[-1]

    yield make
    for each in made:
        each.kill()


@pytest.fixture(scope='session')
def browser() -> Iterator[Browser]:
    path = shutil.which('chromium-headless-shell') or shutil.which('chromium')
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=['--no-sandbox'])
        yield browser
        browser.close()


class Window:
    """A page of the browser, and what it does that it must not do."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.home = ''
        self.complaints: list[str] = []
        page.set_default_timeout(PATIENCE * 1000)
        page.on('console', self._on_console)
        page.on('pageerror', lambda error: self.complaints.append(f'error: {error}'))
        page.on('request', self._on_request)

    def clean(self) -> list[str]:
        """Leave the page that is shown; return the complaints."""
        self.page.unroute_all()
        self.page.goto('about:blank')
        complaints, self.complaints = self.complaints, []
        return complaints

    def _on_console(self, message: ConsoleMessage) -> None:
        if message.type == 'error' and not ANSWERED.match(message.text):
            self.complaints.append(f'console: {message.text}')

    def _on_request(self, request: Request) -> None:
        if not request.url.startswith(self.home):
            self.complaints.append(f'request: {request.url}')


@pytest.fixture(scope='session')
def windows(browser: Browser) -> Callable[..., Window]:
    """Return a function that returns a window with these options, always the same one."""
    made: dict[str, Window] = {}

    def window(**options: Any) -> Window:
        key = json.dumps(options, sort_keys=True)
        if key not in made:
            made[key] = Window(browser.new_page(**options))
        return made[key]

    expect.set_options(timeout=PATIENCE * 1000)
    return window


@pytest.fixture
def open_window(windows: Callable[..., Window]) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a URL below `home`; once in a test.

    At the end, nothing may have been asked of other hosts, and the console has to be clean: that is
    where the browser tells what the Content-Security-Policy has forbidden.
    """
    used: list[Window] = []

    def open_window(url: str, home: str, prepare: Any = None, **options: Any) -> Page:
        options.setdefault('viewport', {'width': 1280, 'height': 800})
        window = windows(**options)
        used.append(window)
        window.home = home
        if prepare is not None:
            prepare(window.page)
        window.page.goto(url)
        return window.page

    yield open_window
    assert [text for each in used for text in each.clean()] == []


@pytest.fixture
def contrasts() -> Callable[[Page], list[str]]:
    """Return a function that returns the texts of a page that are hard to read."""
    return lambda page: page.evaluate(CONTRASTS)  # type: ignore[no-any-return]


@pytest.fixture
def accessibility() -> Callable[[Page], list[tuple[str, str]]]:
    """Return a function that returns the roles and names that assistive technology sees."""

    def tree(page: Page) -> list[tuple[str, str]]:
        found = page.context.new_cdp_session(page).send('Accessibility.getFullAXTree')
        return [
            (each['role']['value'], each.get('name', {}).get('value', '').strip())
            for each in found['nodes']
            if not each['ignored']
        ]

    return tree
