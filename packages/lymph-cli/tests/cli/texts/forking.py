"""Runs `lymph` in children of one process that has imported what commands need.

A command costs a fork instead of the start of Python. The parent of these children is started with
a socket as stdin and answers requests that come over it:

======= ==========================================================================================
request a JSON object with `arguments`, `folder` and `environ`, and the descriptors of the child's
        stdin, stdout and stderr
answer  the process id of the child; and when it has ended, its exit code
======= ==========================================================================================
"""

from __future__ import annotations

import gc
import importlib
import json
import os
import pkgutil
import socket
import sys
from os import fork, waitpid  # gevent's own versions would use its loop in this process
from typing import Any

from lymph.cli._program.main import main
from lymph.config.plugins import installed
from lymph.monkey import patch

#: Plugins that commands load.
_GROUPS = ('lymph.cli', 'lymph.discovery', 'lymph.events', 'lymph.transports')

_Socket = socket.socket


def _serve(requests: socket.socket) -> None:
    while True:
        text, descriptors, _, _ = socket.recv_fds(requests, 65536, 3)
        if not text:
            return
        child = fork()
        if child == 0:
            requests.close()
            _run(json.loads(text), descriptors)
        for descriptor in descriptors:
            os.close(descriptor)
        requests.sendall(f'{child}\n'.encode())
        _, status = waitpid(child, 0)
        requests.sendall(f'{os.waitstatus_to_exitcode(status)}\n'.encode())


def _run(request: dict[str, Any], descriptors: list[int]) -> None:
    code = 70  # of a failure of these lines
    try:
        os.setsid()
        for number, descriptor in enumerate(descriptors):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.chdir(request['folder'])
        os.environ.clear()
        os.environ.update(request['environ'])
        sys.stdin = sys.__stdin__ = os.fdopen(0, closefd=False)
        sys.stdout = sys.__stdout__ = os.fdopen(1, 'w', closefd=False)
        sys.stderr = sys.__stderr__ = os.fdopen(2, 'w', closefd=False)
        code = main(request['arguments'])
    except SystemExit as error:
        code = error.code
    finally:
        os._exit(code)


def _import_all() -> None:
    """Import what commands import when they run: after patching, as they do."""
    patch()
    importlib.import_module('lymph.cli._program.command_line')
    running = importlib.import_module('lymph.cli._running')
    for module in pkgutil.iter_modules(running.__path__, f'{running.__name__}.'):
        if module.name.endswith('_prompt'):  # they import what is large, or not there
            continue
        importlib.import_module(module.name)
    for group in _GROUPS:
        for plugin in installed(group).values():
            plugin.load()


if __name__ == '__main__':
    del sys.path[0]  # the folder of this file
    _requests = _Socket(fileno=os.dup(0))
    _import_all()
    gc.freeze()  # children copy no pages to collect what they do not use
    _serve(_requests)
