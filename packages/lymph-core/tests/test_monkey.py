from __future__ import annotations

import subprocess
import sys


def test_patching_makes_the_standard_library_cooperative_and_may_be_repeated():
    done = subprocess.run(
        [
            sys.executable,
            '-c',
            """
from lymph.monkey import patch
patch()
patch()
import socket, time
import gevent.socket, gevent.hub
assert socket.socket is gevent.socket.socket
assert time.sleep is gevent.hub.sleep
""",
        ],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, '')
