"""Prints the metrics of all instances of a service."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from click.exceptions import Exit
from gevent.pool import Pool

from lymph.cli._arguments.instances import parse_wanted
from lymph.cli._display.metric_rows import MetricRow, metric_rows, wants_metric
from lymph.cli._running.asking import open_client
from lymph.cli._running.learning import learn_descriptions
from lymph.cli._running.services import find_members
from lymph.cli.lazy import lazy
from lymph.cli.outcomes import FAILED
from lymph.cli.output import say, whole, write
from lymph.cli.printing import Printer, Text, line
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.core._overview.samples import read_samples
from lymph.core.failures import error_text
from lymph.core.monitoring.descriptions import MetricKind
from lymph.core.monitoring.metrics import Sample, Tags
from lymph.core.services import ServiceInstance
from lymph.exceptions import LymphError

__all__ = ['run']

_render = lazy('lymph.core.monitoring.openmetrics:render')

_AT_ONCE: Final = 100
_TIMEOUT: Final = 5.0  # seconds for an answer

Wants = Callable[[str], bool]


class InstanceSamples(NamedTuple):
    """An instance with its metrics; `error` says why it has none."""

    identity: str
    endpoint: str
    samples: list[Sample]
    error: str = ''
    descriptions: Any = None


def run(
    settings: Settings,
    address: str,
    patterns: Sequence[str],
    instances: bool,
    prometheus: bool,
    as_json: bool,
) -> None:
    """Print the metrics that match a pattern, or all.

    Raises LookupFailure when there is no instance, OperationFailed when the beginning of an
    identity is not that of one, Exit when one does not answer, UsageError for an invalid name.
    """
    wants = wants_metric(patterns)
    with open_client(settings) as client:
        found = Pool(_AT_ONCE).map(
            lambda each: _ask(client, *each, wants, described=not as_json),
            _instances(client, address),
        )
    kinds: dict[str, MetricKind] = {}
    for each in found:
        kinds.update(learn_descriptions(each.descriptions))
    printer = Printer(settings)
    if as_json:
        printer.json([_facts(each) for each in found])
    elif prometheus:
        _print_page(found, kinds)
    else:
        _print_table(printer, found, instances, bool(patterns))
    failed = [each for each in found if each.error]
    for each in failed:
        say(f'{each.endpoint}  {each.error}')
    if failed:
        raise Exit(FAILED)


def _instances(client: Client, address: str) -> list[tuple[str, str]]:
    """Return identity and endpoint of all instances that are meant."""
    if '://' in address:
        instance = client.container.lookup(address)
        assert isinstance(instance, ServiceInstance)  # it is an endpoint
        return [(instance.identity, address)]
    wanted = parse_wanted(address)
    found = find_members(client.container, [wanted], everything=False)
    pairs = [(each.instance.identity, each.instance.endpoint) for each in found[wanted.text]]
    return list(dict.fromkeys(pairs))


def _ask(
    client: Client, identity: str, endpoint: str, wants: Wants, *, described: bool
) -> InstanceSamples:
    try:
        answer = client.request(endpoint, 'lymph.get_metrics', timeout=_TIMEOUT)
    except LymphError as error:
        text = error_text(error).removeprefix(f'{endpoint}: ')
        return InstanceSamples(identity, endpoint, [], text)
    samples = [sample for sample in read_samples(answer) if wants(sample[0])]
    descriptions = None
    if described:
        with contextlib.suppress(LymphError):  # an older version of lymph has none
            descriptions = client.request(endpoint, 'lymph.describe_metrics', timeout=_TIMEOUT)
    return InstanceSamples(identity, endpoint, samples, descriptions=descriptions)


def _print_table(
    printer: Printer, found: Sequence[InstanceSamples], instances: bool, chosen: bool
) -> None:
    answered = {each.identity: each.samples for each in found if not each.error}
    rows = metric_rows(answered)
    if not rows:
        if answered:
            say(f'no metrics{" like that" if chosen else ""}')
    elif instances:
        printer.listing(
            ['NAME', 'TAGS', 'INSTANCE', 'VALUE'],
            [
                [line(row.name, 'bold'), row.tags_text, instance, row.of(instance)]
                for row in rows
                for instance in row.values
            ],
        )
    elif len(answered) == 1:
        printer.listing(['NAME', 'TAGS', 'VALUE'], [_cells(row)[:3] for row in rows])
    else:
        printer.listing(['NAME', 'TAGS', 'SUM', 'MIN', 'MAX'], map(_cells, rows))


def _cells(row: MetricRow) -> list[str | Text]:
    return [line(row.name, 'bold'), row.tags_text, *row.summary()]


def _facts(each: InstanceSamples) -> dict[str, Any]:
    metrics = [{'name': name, 'value': v, 'tags': tags} for name, v, tags in each.samples]
    return {
        'identity': each.identity,
        'endpoint': each.endpoint,
        'error': each.error or None,
        'metrics': metrics,
    }


def _print_page(found: Sequence[InstanceSamples], kinds: Mapping[str, MetricKind]) -> None:
    """Print OpenMetrics text; what would make it invalid is told on stderr instead."""
    samples = [
        (name, value, _labelled(tags, each.identity))
        for each in found
        for name, value, tags in each.samples
    ]
    page = _render(samples, kinds=kinds)
    write(whole(page.text))
    for name, reason in page.reasons.items():
        say(f'{name} is left out: {reason}')


def _labelled(tags: Tags, identity: str) -> Tags:
    """Return tags with the instance; one of this name gets another, as Prometheus does it."""
    rest = dict(tags)
    if 'instance' in rest:
        rest['exported_instance'] = rest.pop('instance')
    return {**rest, 'instance': identity}
