"""Each alert rule in deploy/ fires when it should, and is silent otherwise."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
RULES = ROOT / 'deploy' / 'prometheus' / 'lymph.rules.yml'

SHOP = 'job="shop", instance="a:1"'
CALLED = f'{SHOP}, method="shop.take"'
QUEUE = f'{SHOP}, queue="shop.on_paid"'
WEB = f'{SHOP}, interface="web"'
INFO = f'lymph_info{{{SHOP}}}'


def histogram(name: str, labels: str, slow: int) -> dict[str, str]:
    """Return a histogram with 100 values a minute, `slow` of them above the bound of 30 s."""
    return {
        f'{name}_bucket{{{labels}, le="0.01"}}': f'0+{100 - slow}x60',
        f'{name}_bucket{{{labels}, le="30"}}': f'0+{100 - slow}x60',
        f'{name}_bucket{{{labels}, le="60"}}': '0+100x60',
        f'{name}_bucket{{{labels}, le="+Inf"}}': f'0+{100 + slow}x60',
    }


#: series with which each alert fires
FIRING = {
    'LymphInstanceDown': {f'up{{{SHOP}}}': '1 1 0x58', INFO: '1 1'},
    'LymphRestarts': {f'process_start_time_seconds{{{SHOP}}}': '0+60x60', INFO: '1x60'},
    'LymphLoopBlocked': {f'lymph_loop_blocked_seconds_total{{{SHOP}}}': '0+6x60'},
    'LymphLoopSlow': histogram('lymph_loop_delay_seconds', SHOP, 5),
    'LymphDescriptorsShort': {
        f'process_open_fds{{{SHOP}}}': '900x60',
        f'process_max_fds{{{SHOP}}}': '1024x60',
        INFO: '1x60',
    },
    'LymphRegistryAway': {f'lymph_registry_connected{{{SHOP}}}': '0x60'},
    'LymphBrokerAway': {f'lymph_broker_connected{{{SHOP}}}': '0x60'},
    'LymphMetricsLeftOut': {f'lymph_metrics_left_out_total{{{SHOP}}}': '0+1x60'},
    'LymphCallsFail': {
        f'lymph_rpc_failed_total{{{CALLED}}}': '0+10x60',
        f'lymph_rpc_handled_total{{{CALLED}}}': '0+90x60',
    },
    'LymphCallsSlow': histogram('lymph_rpc_duration_seconds', CALLED, 5),
    'LymphCallsRefused': {f'lymph_rpc_refused_total{{{CALLED}, reason="overloaded"}}': '0+60x60'},
    'LymphPoolFull': {
        f'lymph_pool_running{{{SHOP}}}': '49x60',
        f'lymph_pool_size{{{SHOP}}}': '50x60',
    },
    'LymphCallsOfOthersFail': {
        f'lymph_calls_finished_total{{{CALLED}, service="shop", outcome="ok"}}': '0+50x60',
        f'lymph_calls_finished_total{{{CALLED}, service="shop", outcome="timeout"}}': '0+50x60',
    },
    'LymphQueueGrows': {f'lymph_queues_waiting{{{QUEUE}}}': '2000+10x60'},
    'LymphQueueOld': {f'lymph_queues_oldest_seconds{{{QUEUE}}}': '301x60'},
    'LymphQueueWithoutConsumers': {
        f'lymph_queues_waiting{{{QUEUE}}}': '1x60',
        f'lymph_queues_consumers{{{QUEUE}}}': '0x60',
    },
    'LymphDeadLetters': {f'lymph_queues_dead{{{QUEUE}}}': '0x45 1x15'},
    'LymphEventsLate': histogram('lymph_events_lag_seconds', QUEUE, 5),
    'LymphEmissionsFail': {
        f'lymph_events_emit_failed_total{{{SHOP}, reason="unreachable"}}': '0+1x60'
    },
    'LymphHttpFails': {
        f'lymph_http_answered_total{{{WEB}, status="200"}}': '0+90x60',
        f'lymph_http_answered_total{{{WEB}, status="503"}}': '0+10x60',
    },
    'LymphHttpSlow': histogram('lymph_http_duration_seconds', WEB, 5),
    'LymphHttpRefused': {f'lymph_http_refused_total{{{WEB}}}': '0+60x60'},
}

#: a service that does its work, with some errors
HEALTHY = {
    f'up{{{SHOP}}}': '1x60',
    'up{job="database", instance="b:1"}': '0x60',  # somebody else's
    INFO: '1x60',
    f'process_start_time_seconds{{{SHOP}}}': '1x30 2x30',
    f'process_open_fds{{{SHOP}}}': '100x60',
    f'process_max_fds{{{SHOP}}}': '1024x60',
    'process_open_fds{job="database", instance="b:1"}': '1000x60',
    'process_max_fds{job="database", instance="b:1"}': '1024x60',
    f'lymph_loop_blocked_seconds_total{{{SHOP}}}': '0+1x60',
    **histogram('lymph_loop_delay_seconds', SHOP, 0),
    f'lymph_registry_connected{{{SHOP}}}': '1x29 0 1x30',
    f'lymph_broker_connected{{{SHOP}}}': '1x60',
    f'lymph_metrics_left_out_total{{{SHOP}}}': '3x60',
    f'lymph_rpc_failed_total{{{CALLED}}}': '0+1x60',
    f'lymph_rpc_handled_total{{{CALLED}}}': '0+99x60',
    'lymph_rpc_failed_total{job="shop", instance="a:1", method="shop.idle"}': '7x60',
    'lymph_rpc_handled_total{job="shop", instance="a:1", method="shop.idle"}': '7x60',
    **histogram('lymph_rpc_duration_seconds', CALLED, 0),
    f'lymph_rpc_refused_total{{{CALLED}, reason="unknown_method"}}': '0+60x60',
    f'lymph_pool_running{{{SHOP}}}': '5x60',
    f'lymph_pool_size{{{SHOP}}}': '50x60',
    f'lymph_calls_finished_total{{{CALLED}, service="shop", outcome="ok"}}': '0+50x60',
    f'lymph_calls_finished_total{{{CALLED}, service="shop", outcome="error"}}': '0+50x60',
    f'lymph_queues_waiting{{{QUEUE}}}': '2000-10x60',
    f'lymph_queues_consumers{{{QUEUE}}}': '2x60',
    f'lymph_queues_oldest_seconds{{{QUEUE}}}': '30x60',
    f'lymph_queues_dead{{{QUEUE}}}': '4x60',
    f'lymph_events_dead_total{{{QUEUE}, kind="event"}}': '4x60',
    **histogram('lymph_events_lag_seconds', QUEUE, 0),
    f'lymph_events_emit_failed_total{{{SHOP}, reason="cancelled"}}': '0+1x60',
    f'lymph_http_answered_total{{{WEB}, status="200"}}': '0+99x60',
    f'lymph_http_answered_total{{{WEB}, status="404"}}': '0+99x60',
    f'lymph_http_answered_total{{{WEB}, status="500"}}': '0+1x60',
    **histogram('lymph_http_duration_seconds', WEB, 0),
    f'lymph_http_refused_total{{{WEB}}}': '5x60',
}


def alerts() -> set[str]:
    """Return the names of all alerts."""
    groups = yaml.safe_load(RULES.read_text())['groups']
    return {rule['alert'] for group in groups for rule in group['rules']}


def test_the_guide_says_what_to_do_about_each_alert() -> None:
    lines = (ROOT / 'docs' / 'monitoring.md').read_text().splitlines()
    listed = {line.split('`')[1] for line in lines if line.startswith('| `Lymph')}
    assert listed == alerts()


def test_each_alert_fires_when_it_should_and_is_silent_otherwise(tmp_path: Path) -> None:
    assert set(FIRING) == alerts()

    def scenario(name: str, series: dict[str, str], query: str, count: int) -> dict[str, object]:
        return {
            'name': name,
            'interval': '1m',
            'input_series': [{'series': key, 'values': text} for key, text in series.items()],
            'promql_expr_test': [
                {
                    'expr': query,
                    'eval_time': '50m',
                    'exp_samples': [{'labels': '{}', 'value': count}] if count else [],
                }
            ],
        }

    tests = [scenario('healthy', HEALTHY, 'count(ALERTS{alertstate="firing"})', 0)]
    for alert, series in FIRING.items():
        query = f'count(ALERTS{{alertname="{alert}", alertstate="firing"}})'
        tests.append(scenario(alert, series, query, 1))
    path = tmp_path / 'tests.yml'
    path.write_text(
        json.dumps({'rule_files': [str(RULES)], 'evaluation_interval': '1m', 'tests': tests})
    )
    program = shutil.which('promtool')
    assert program is not None, 'promtool is not installed; apt-get install prometheus'
    run = subprocess.run(
        [program, 'test', 'rules', str(path)], capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
