"""Hosts on one machine reach each other, until they are cut off."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys

import pytest

from lymph.testing.faults import hosts
from lymph.testing.faults.hosts import Network, NoNamespaces
from lymph.testing.waiting import eventually

ANSWER = """
import socket, sys
family = socket.AF_INET6 if ':' in sys.argv[1] else socket.AF_INET
server = socket.create_server((sys.argv[1], 4000), family=family)
print('listening', flush=True)
while True:
    server.accept()[0].sendall(b'here')
"""
ASK = """
import socket, sys
with socket.create_connection((sys.argv[1], 4000), timeout=float(sys.argv[2])) as sock:
    print(sock.recv(100))
"""


@pytest.fixture(params=['as it is', 'in a user namespace'])
def network(request, monkeypatch):
    if request.param == 'in a user namespace':  # as for somebody who is not root
        monkeypatch.setattr(os, 'geteuid', lambda: 1000)
    with Network() as network:
        yield network


@pytest.fixture
def answer(tmp_path):
    """Start something on a host that answers at an address."""

    def answer(host, address):
        log = tmp_path / 'log'
        log.unlink(missing_ok=True)
        process = host.start(
            [sys.executable, '-c', ANSWER, address],
            environment=os.environ,
            folder=tmp_path,
            log=log,
        )
        eventually(lambda: 'listening' in log.read_text(), 20, log.read_text)
        return process

    return answer


def asked(host, address, timeout=20.0):
    try:
        return 'here' in host.run(sys.executable, '-c', ASK, address, str(timeout))
    except RuntimeError:
        return False


def test_hosts_reach_each_other_until_one_is_cut_off_and_again_afterwards(network, answer):
    one, other = network.host(), network.host()
    for address in (one.address, one.address6):
        answer(one, address)
        assert asked(other, address)
    one.cut()
    assert not asked(other, one.address, 0.3)
    assert asked(one, one.address)  # it does not notice itself
    one.restore()
    assert asked(other, one.address)


def test_removed_host_ends_its_processes_and_is_restored_without_them(network, answer):
    one, other = network.host(), network.host()
    process = answer(one, one.address)
    one.vanish()
    assert not process.running
    one.restore()
    assert not asked(other, one.address)
    answer(one, one.address)
    assert asked(other, one.address)


def test_hosts_are_unreachable_from_outside(network, answer):
    host = network.host()
    answer(host, host.address)
    done = subprocess.run(
        [sys.executable, '-c', ASK, host.address, '0.3'], capture_output=True, check=False
    )
    assert done.returncode != 0


def test_hosts_end_with_the_process_that_created_them(tmp_path):
    code = """
import time
from lymph.testing.faults.hosts import Network
network = Network()
host = network.host()
print(network._switch.pid, host._space.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen([sys.executable, '-c', code], stdout=subprocess.PIPE) as maker:
        pids = [int(pid) for pid in maker.stdout.readline().split()]
        assert len(pids) == 2
        maker.send_signal(signal.SIGKILL)
    eventually(lambda: not any(os.path.exists(f'/proc/{pid}/ns/net') for pid in pids), 10)


def test_missing_tools_are_named_with_what_to_install(monkeypatch):
    monkeypatch.setattr(shutil, 'which', lambda tool: None if tool == 'ip' else tool)
    with pytest.raises(NoNamespaces, match=r'install iproute2 \(as root: tools/servers\)'):
        Network()


def test_missing_permission_for_namespaces_is_explained():
    def refused(command, **options):
        command = ['sh', '-c', 'echo "unshare failed: Operation not permitted" >&2; exit 1']
        return subprocess.Popen(command, **options)

    with pytest.raises(NoNamespaces, match=r'Operation not permitted\); run as root, or allow'):
        hosts.Network(popen=refused)
