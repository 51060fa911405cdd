"""ARCHITECTURE.md names the files that a call passes, and no others."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import FrameType
from typing import Any

import greenlet

import lymph
from lymph.client import Client
from lymph.config import Configuration
from lymph.core.container import ServiceContainer

ARCHITECTURE = Path(__file__).parents[1] / 'ARCHITECTURE.md'
IN_PROCESS = {'registry': {'class': 'static'}, 'events': {'class': 'null'}, 'block_threshold': 0}


class Echo(lymph.Interface):
    @lymph.rpc()
    def upper(self, text: str) -> str:
        return text.upper()


def drawn(heading: str) -> list[str]:
    """Return the modules in the drawing of a section, without `lymph.`."""
    section = ARCHITECTURE.read_text().split(f'\n## {heading}\n')[1].split('\n## ')[0]
    drawing = section.split('```')[1]
    return re.findall(r'\w+(?:\.\w+)+', drawing)


def passed(call: Any) -> set[str]:
    """Return the modules of lymph whose functions run while `call` does, in all greenlets."""
    found = set()

    def note(frame: FrameType, event: str, argument: Any) -> None:
        name = frame.f_globals.get('__name__', '')
        if event == 'call' and name.startswith('lymph.'):
            found.add(name.removeprefix('lymph.'))

    def switched(event: str, greenlets: Any) -> None:
        sys.setprofile(note)  # each greenlet has its own

    profiler, tracer = sys.getprofile(), greenlet.gettrace()
    greenlet.settrace(switched)
    sys.setprofile(note)
    try:
        call()
    finally:
        sys.setprofile(profiler)
        greenlet.settrace(tracer)
    return found


def test_files_that_a_call_passes_are_those_of_the_document() -> None:
    service = ServiceContainer.from_config(
        Configuration({'container': IN_PROCESS}).view('container')
    )
    service.install_interface(Echo, 'echo')
    service.start(register=False)
    known = {
        **IN_PROCESS,
        'registry': {'class': 'static', 'services': {'echo': [service.endpoint]}},
    }
    try:
        with Client.from_config(Configuration({'container': known})) as client:
            echo = client.proxy('echo', timeout=30)
            for _ in range(3):  # connections, greenlets and tables are there then
                echo.upper(text='x')
            found = passed(lambda: echo.upper(text='x'))
    finally:
        service.stop()
    documented = drawn('A call, from its caller to its method and back')
    assert len(documented) == len(set(documented))
    assert found == set(documented)
