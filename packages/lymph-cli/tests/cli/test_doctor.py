"""`lymph doctor` finds faults that are staged here, each with one line that says what to do."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import gevent
import pytest

from lymph.cli._checks.addresses import address_findings
from lymph.cli._checks.clocks import clock_findings
from lymph.cli._checks.descriptors import Descriptors, descriptor_findings
from lymph.cli._checks.disks import Volume, disk_findings
from lymph.cli._checks.instances import silence_findings
from lymph.cli._checks.tasks import queue_findings
from lymph.cli._checks.versions import version_findings
from lymph.cli._running.examination import examine, load_checks
from lymph.config.plugins import InstalledPlugin
from lymph.core.diagnosis import Answer, Check, Finding, NotChecked, Surroundings
from lymph.core.services import ServiceInstance
from lymph.events.queues import QueueState

PATIENCE = 30.0


def answer(host: str = 'app1', **status: Any) -> Answer:
    instance = ServiceInstance(host, 'tcp://10.0.0.5:4123', hostname=host)
    return Answer((('shop', instance),), status, asked=1000.0, answered=1001.0)


def at(endpoint: str, **facts: Any) -> Answer:
    return Answer((('shop', ServiceInstance('one', endpoint, hostname='app1', **facts)),))


@pytest.mark.parametrize(
    ('endpoint', 'facts', 'found'),
    [
        ('tcp://127.0.0.1:4123', {}, ['the loopback address tcp://127.0.0.1:4123 of shop']),
        ('tcp://[::1]:4123', {}, ['the loopback address tcp://[::1]:4123 of shop']),
        ('tcp://localhost:4123', {}, ['the loopback address tcp://localhost:4123 of shop']),
        (
            'tcp://10.0.0.5:4123',
            {'ip': '127.0.0.1', 'http_port': 8080},
            ['the loopback address http://127.0.0.1:8080 of shop'],
        ),
        ('tcp://10.0.0.5:4123', {'ip': '127.0.0.1'}, []),
        ('ipc:///tmp/socket', {}, []),
    ],
)
def test_addresses_unreachable_from_other_machines_are_found(
    endpoint: str, facts: dict[str, Any], found: list[str]
) -> None:
    assert [each.found for each in address_findings([at(endpoint, **facts)])] == found


@pytest.mark.parametrize(
    ('times', 'found'),
    [
        ({'app1': 1000.5}, []),
        ({'app1': 998.5, 'app2': 1002.5}, []),
        ({'app1': 'noon', 'app2': True}, []),
        ({'app1': 900.0}, ['the clock of app1 100.0 s behind the one here']),
        ({'app1': 1000.5, 'app2': 1101.0}, ['the clock of app2 100.0 s ahead of the one here']),
        ({'app1': 900.0, 'app2': 900.0}, ['the clock of this machine 100.0 s ahead of all others']),
        (
            {'app1': 900.0, 'app2': 1101.0},
            [
                'the clock of app1 100.0 s behind the one here',
                'the clock of app2 100.0 s ahead of the one here',
            ],
        ),
    ],
)
def test_clocks_that_differ_are_found_with_the_host_that_is_off(
    times: dict[str, Any], found: list[str]
) -> None:
    fleet = [answer(host=host, time=time) for host, time in times.items()]
    assert [each.found for each in clock_findings(fleet)] == found


@pytest.mark.parametrize(
    ('volume', 'expected'),
    [
        (Volume('/state', 2 << 30, 1 << 40), []),
        (Volume('/state', 1 << 29, 1 << 40), ['at least 1.0 GiB free at /state']),
        (Volume('/state', 1 << 29, 2 << 30), []),
        (Volume('/state', 0, 1 << 20), ['at least 51.2 KiB free at /state']),
        (Volume('/state', 1 << 19, 1 << 20, 3, 1000), ['room for new files at /state']),
        (Volume('/state', 1 << 19, 1 << 20, 0, 0), []),
    ],
)
def test_disks_that_are_nearly_full_are_found(volume: Volume, expected: list[str]) -> None:
    assert [each.expected for each in disk_findings([volume])] == expected


@pytest.mark.parametrize(
    ('opened', 'limit', 'found'),
    [
        (100, 1024, []),
        (None, 1024, []),
        (100, None, []),
        (100, 256, ['256']),
        (900, 1024, ['900 of 1024']),
        (250, 256, ['250 of 256']),
    ],
)
def test_low_limits_of_file_descriptors_are_found(
    opened: float | None, limit: float | None, found: list[str]
) -> None:
    findings = descriptor_findings([Descriptors('shop', opened, limit)])
    assert [each.found for each in findings] == found


def test_mixed_versions_are_found_by_service() -> None:
    fleet = [
        Answer(((name, ServiceInstance(name, 'tcp://10.0.0.5:1', own)),), {'version': lymph})
        for name, own, lymph in (
            ('shop', '1.5.0', '0.16.0'),
            ('shop', '2.0.0', '0.16.0'),
            ('mail', '1.0.0', '0.16.0'),
            ('mail', '1.1.0', None),
            ('web', None, '0.16.0'),
        )
    ]
    mail, shop = sorted(version_findings(fleet), key=lambda each: each.expected[-4:])
    assert shop.found == '1.5.0 (1 instance), 2.0.0 (1 instance)'
    assert 'shop@1' in shop.advice
    assert mail.found == '0.16.0 (1 instance), one that does not tell, so before 0.16 (1 instance)'


def test_queues_without_consumers_are_found() -> None:
    states = [
        QueueState('shop.bill', consumers=0, waiting=0),
        QueueState('shop.on_order', consumers=0, waiting=1, delayed=1),
        QueueState('shop.on_empty', consumers=0, waiting=0),
        QueueState('shop.on_sale', consumers=1, waiting=9),
        QueueState('shop.unknown', waiting=9),
        QueueState('shop.once.1', consumers=0, waiting=9, temporary=True),
    ]
    task, event = queue_findings(states, frozenset({'shop.bill'}))
    assert str(task) == (
        'expected a worker for the tasks of shop.bill, found none, and 0 tasks waiting; start one '
        'with the configuration of the instances: lymph worker'
    )
    assert event.found == 'none, and 2 events waiting'
    assert event.advice.endswith('lymph queues drop shop.on_order')


def test_instances_that_do_not_answer_are_found_and_counted() -> None:
    silent = [Answer((('shop', ServiceInstance('one', f'tcp://10.0.0.5:{n}')),), error='refused')
              for n in range(1, 14)]  # fmt: skip
    findings = list(silence_findings([answer(), *silent]))
    assert findings[0].advice == 'see lymph why shop'
    assert findings[-1].found == '3 more that do not answer'
    assert len(findings) == 11


# How checks are run.

FINDING = Finding('a', 'b', 'c')


class Early(Check):
    early = True
    about = 'something early'
    ran: ClassVar[list[str]] = []

    def run(self, around: Surroundings) -> Iterable[Finding]:
        self.ran.append('early')
        return [FINDING]


class Sound(Check):
    about = 'something'

    def run(self, around: Surroundings) -> Iterable[Finding]:
        Early.ran.append('sound')
        return []


class Raising(Sound):
    def run(self, around: Surroundings) -> Iterable[Finding]:
        raise SystemExit('no\nmore')


class Hanging(Sound):
    def run(self, around: Surroundings) -> Iterable[Finding]:
        gevent.sleep(1000)
        return []


class Busy(Sound):
    def run(self, around: Surroundings) -> Iterable[Finding]:
        while True:
            pass


class Halfway(Sound):
    def run(self, around: Surroundings) -> Iterable[Finding]:
        yield FINDING
        raise ValueError('half')


class Strange(Sound):
    def run(self, around: Surroundings) -> Any:
        return [7]


class Elsewhere(Sound):
    def run(self, around: Surroundings) -> Iterable[Finding]:
        raise NotChecked('nothing here')


def test_failing_check_does_not_affect_the_others() -> None:
    kinds = (Early, Busy, Sound, Raising, Hanging, Halfway, Strange, Elsewhere)
    Early.ran.clear()
    around: Any = None
    outcomes = examine({kind.__name__: kind() for kind in kinds}, around, 0.2)
    assert [each.name for each in outcomes if each.findings] == ['Early', 'Halfway']
    assert {each.name: (each.state, each.reason) for each in outcomes} == {
        'Early': ('found', ''),
        'Sound': ('sound', ''),
        'Busy': ('failed', 'TimeoutError: it kept all others from running for 0.2 s'),
        'Raising': ('failed', 'SystemExit: no more'),
        'Hanging': ('failed', 'it has not ended within 0.2 s'),
        'Halfway': ('failed', 'ValueError: half'),
        'Strange': ('failed', 'TypeError: expected findings, found int'),
        'Elsewhere': ('not checked', 'nothing here'),
    }
    assert Early.ran == ['early', 'sound']


def test_checks_that_cannot_be_made_are_failures() -> None:
    def plugin(name: str, reference: str) -> InstalledPlugin:
        return InstalledPlugin('lymph.doctor', name, reference, 'shop', '1')

    made, failed = load_checks(
        {
            'gone': plugin('gone', 'no.such.module:Check'),
            'wrong': plugin('wrong', 'lymph.core.diagnosis:Finding'),
            'right': plugin('right', 'lymph.cli._checks.clocks:ClocksCheck'),
        }
    )
    assert list(made) == ['right']
    assert [each.name for each in failed] == ['gone', 'wrong']
    assert all(each.state == 'failed' and each.reason for each in failed)


# Staged faults.

MIXED = """
import time
import lymph

wall_clock = time.time
time.time = lambda: wall_clock() + 1000

class Mixed(lymph.Interface):
    @lymph.task()
    def work(self):
        pass
"""


def findings_of(shell: Any, *arguments: str) -> dict[str, list[dict[str, str]]]:
    done = shell.run('doctor', '--json', *arguments)
    assert done.exit_code == 1, done
    found: dict[str, list[dict[str, str]]] = {}
    for each in json.loads(done.stdout)['findings']:
        found.setdefault(each['check'], []).append(each)
    return found


def test_faults_of_a_machine_and_its_instances_are_found_together(shell: Any) -> None:
    shell.write('mixed.py', MIXED)
    interfaces = '{mixed@1.0: {class: "mixed:Mixed"}, mixed@2.0: {class: "mixed:Mixed"}}'
    shell.write('mixed.yml', f'interfaces: {interfaces}\n')
    script = 'ulimit -n 256; exec "$@"'
    command = (str(shell.lymph), 'instance', '--config=mixed.yml')
    shell.start('-c', script, 'sh', *command, program='/bin/sh').said('tcp://')
    state = shell.folder / 'state'
    os.chmod(shell.write('state/registry/rpc/gone/one~0123456789abcdef.json', '{}'), 0o666)
    shell.write('state/events/events.db', '')
    found = findings_of(shell)
    assert found.keys() == {'clocks', 'descriptors', 'state', 'tasks', 'versions'}
    [clock] = found['clocks']
    assert 'ahead of the one here' in clock['found']
    assert [each['found'] for each in found['descriptors']] == ['256']
    assert 'mixed at tcp://' in found['descriptors'][0]['expected']
    writable, dead, unknown = found['state']
    assert f'chmod -R go-w {state}' in writable['advice']
    assert '1 file of processes that were killed: registry/rpc/gone/one~' in dead['found']
    assert 'events/events.db' in unknown['found']
    assert 'lymph worker' in found['tasks'][0]['advice']
    assert 'mixed@1' in found['versions'][0]['advice']


def test_unwritable_state_directory_is_a_finding_of_both_backends(
    shell: Any,
) -> None:
    shell.write('file', '')
    shell.environ['LYMPH_STATE_DIR'] = str(shell.folder / 'file' / 'state')
    done = shell.run('doctor')
    assert done.exit_code == 1
    events, registry, count, *_ = done.stdout.splitlines()
    assert registry.startswith('registry: expected a registry that answers, found ')
    assert 'cannot keep state in' in registry
    assert events.startswith('events: expected an event system')
    assert count == '2 faults found'


def test_a_full_disk_is_found(shell: Any) -> None:
    state = shell.folder / 'state'
    state.mkdir()
    space = ['unshare', '--mount']
    if os.geteuid() != 0:
        space += ['--user', '--map-root-user']
    mount = f'mount -t tmpfs -o size=64k,mode=700 none {state}'
    script = f'{mount} && head -c 63k /dev/zero > {state}/full; exec "$@"'
    command: Sequence[str] = [*space, 'sh', '-c', script, 'sh', str(shell.lymph), 'doctor', 'disks']
    done = subprocess.run(
        command, env=shell.environ, cwd=shell.folder, capture_output=True, text=True,
        timeout=PATIENCE,
    )  # fmt: skip
    first, *_ = done.stdout.splitlines()
    assert done.returncode == 1
    assert first.startswith(f'disks: expected at least 3.2 KiB free at {state}, found ')
    assert 'make room' in first


def test_invalid_configuration_is_a_finding_and_the_machine_is_still_checked(
    shell: Any,
) -> None:
    shell.write('.lymph.yml', 'container: {rpc: {timeout: soon}}\n')
    (shell.folder / 'state').mkdir(0o700)
    done = shell.run('doctor', '--json')
    report = json.loads(done.stdout)
    assert done.exit_code == 1
    [finding] = report['findings']
    assert finding['check'] == 'configuration'
    assert 'container.rpc.timeout' in finding['found']
    states = {each['name']: each['state'] for each in report['checks']}
    assert states['disks'] == states['state'] == 'sound'
    assert states['registry'] == 'not checked'
