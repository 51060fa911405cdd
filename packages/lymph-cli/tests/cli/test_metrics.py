"""`lymph metrics` over real instances."""

from __future__ import annotations

import json
import re
import signal
from typing import Any

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

CALLS = 3


@pytest.fixture(scope='module')
def two(shared_shell: Any, forking: Any) -> Any:
    """A shell with two instances of `echo`, of which one has answered calls."""
    shell = shared_shell
    shell.run = lambda *words: forking.piped(words, shell.folder, shell.environ)
    shell.endpoints = [
        re.search(r'tcp://\S+', shell.start_echo().stderr)[0]  # type: ignore[index]  # it said so
        for _ in range(2)
    ]
    for _ in range(CALLS):
        done = shell.run('request', 'echo.upper', f'--address={shell.endpoints[0]}', 'text=a')
        assert done.exit_code == 0, done.stderr
    return shell


def rows(text: str) -> list[list[str]]:
    return [re.split(r'\s{2,}', line) for line in text.splitlines()]


def test_metrics_of_all_instances_are_added_up(two: Any) -> None:
    done = two.run('metrics', 'echo', '--match=rpc.handled')
    titles, *found = rows(done.stdout)
    assert titles == ['NAME', 'TAGS', 'SUM', 'MIN', 'MAX']
    assert ['rpc.handled', 'method=echo.upper', str(CALLS), '0', str(CALLS)] in found


def test_a_histogram_is_summarized(two: Any) -> None:
    done = two.run('metrics', 'echo', '--match', 'rpc.duration')
    (row,) = [row for row in rows(done.stdout) if row[1] == 'method=echo.upper']
    assert re.fullmatch(rf'{CALLS} values, p50 \S+(us|ms|s), p99 \S+(us|ms|s)', row[2])


def test_values_of_each_instance_are_listed(two: Any) -> None:
    done = two.run('metrics', 'echo', '--instances', '--match=rpc.handled')
    titles, *found = rows(done.stdout)
    assert titles == ['NAME', 'TAGS', 'INSTANCE', 'VALUE']
    values = [row for row in found if row[1] == 'method=echo.upper']
    assert sorted(row[3] for row in values) == ['0', str(CALLS)]
    assert len({row[2] for row in values}) == 2


def test_one_instance_has_its_own_values(two: Any) -> None:
    for address, count in zip(two.endpoints, (CALLS, 0), strict=True):
        titles, *found = rows(two.run('metrics', address, '--match=rpc.handled').stdout)
        assert titles == ['NAME', 'TAGS', 'VALUE']
        assert ['rpc.handled', 'method=echo.upper', str(count)] in found


def test_an_instance_is_chosen_by_the_beginning_of_its_identity(two: Any) -> None:
    (first, _) = json.loads(two.run('metrics', 'echo', '--json').stdout)
    done = two.run('metrics', f'echo:{first["identity"][:8]}', '--json', '--match=rpc.callers')
    (chosen,) = json.loads(done.stdout)
    assert (chosen['identity'], chosen['error']) == (first['identity'], None)
    assert [each['name'] for each in chosen['metrics']] == ['rpc.callers']


def test_json_has_all_buckets(two: Any) -> None:
    done = two.run('metrics', two.endpoints[0], '--json', '--match=rpc.duration')
    (instance,) = json.loads(done.stdout)
    buckets = {
        each['tags']['le']: each['value']
        for each in instance['metrics']
        if each['name'] == 'rpc.duration.bucket' and each['tags']['method'] == 'echo.upper'
    }
    assert buckets['+Inf'] == CALLS
    assert len(buckets) > 10


def test_prometheus_reads_the_text(two: Any) -> None:
    done = two.run('metrics', 'echo', '--prometheus')
    assert (done.exit_code, done.stderr) == (0, '')
    families = {each.name: each for each in text_string_to_metric_families(done.stdout)}
    handled = {
        sample.labels['instance']: sample.value
        for sample in families['lymph_rpc_handled'].samples
        if sample.labels['method'] == 'echo.upper'
    }
    assert sorted(handled.values()) == [0, CALLS]
    assert families['lymph_rpc_duration_seconds'].type == 'histogram'


def test_metrics_like_that_may_not_exist(two: Any) -> None:
    done = two.run('metrics', 'echo', '--match=nothing.*')
    assert (done.exit_code, done.stdout) == (0, '')
    assert done.stderr == 'no metrics like that\n'


def test_an_instance_that_does_not_answer_is_told(shell: Any) -> None:
    stopped, _ = shell.start_echo(), shell.start_echo()
    stopped.signal(signal.SIGSTOP)
    done = shell.run('metrics', 'echo', '--json')
    stopped.signal(signal.SIGCONT)
    assert done.exit_code == 1
    failed, answered = sorted(json.loads(done.stdout), key=lambda each: len(each['metrics']))
    assert failed['error']
    assert failed['endpoint'] in done.stderr
    assert (answered['error'], failed['metrics']) == (None, [])
    assert answered['metrics']
