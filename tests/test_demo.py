"""What `make demo` runs works, ends by itself, and leaves nothing running."""

from __future__ import annotations

import os
import pathlib
import subprocess

ROOT = pathlib.Path(__file__).parents[1]


def test_the_demo_shows_everything_and_ends(tmp_path):
    environment = {key: value for key, value in os.environ.items() if not key.startswith('LYMPH_')}
    environment.pop('PYTHONUNBUFFERED', None)
    environment['PATH'] = f'{ROOT / ".venv" / "bin"}:{environment.get("PATH", os.defpath)}'
    environment['TMPDIR'] = str(tmp_path)
    done = subprocess.run(
        ['sh', str(ROOT / 'examples' / 'demo.sh')],
        cwd=tmp_path,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    for shown in ("'HELLO'", 'uppercase_transform_finished:', 'killed by SIGKILL', 'STILL HERE'):
        assert shown in done.stdout
    assert not list(tmp_path.iterdir()), 'the demo leaves files behind'
