from __future__ import annotations

import subprocess
import sys
import time

import pytest

from lymph.core._system.clocks import SteadyClock, boot_id, boottime

HOUR = 3600.0


def test_processes_share_the_boot_and_the_time_since_then():
    code = (
        'from lymph.core._system.clocks import boot_id, boottime; '
        'print(boottime()); print(boot_id())'
    )
    before = boottime()
    told = subprocess.run([sys.executable, '-c', code], capture_output=True, text=True, check=True)
    their_time, their_boot = told.stdout.splitlines()
    assert before <= float(their_time) <= boottime()
    assert their_boot == boot_id()


@pytest.mark.parametrize('hours', [-1, 1])
def test_steady_clock_does_not_follow_the_wall_clock(monkeypatch, hours):
    really = time.time
    clock = SteadyClock()
    assert clock.now() == pytest.approx(really(), abs=60)
    monkeypatch.setattr(time, 'time', lambda: really() + hours * HOUR)
    assert clock.now() == pytest.approx(really(), abs=60)
