"""Runs a load: shows how it fares, prints what it came to, and fails if a call has failed."""

from __future__ import annotations

import sys

from lymph.cli._running.calling import DescribedCall, failure
from lymph.cli._running.load.faring import Faring
from lymph.cli._running.load.generator import LoadGenerator
from lymph.cli._running.load.plan import Plan
from lymph.cli._running.load.report import figures, text
from lymph.cli.outcomes import Interrupted, OperationFailed
from lymph.cli.output import write
from lymph.cli.printing import Printer
from lymph.cli.progress import Progress
from lymph.cli.settings import Settings
from lymph.client import Client
from lymph.exceptions import RpcError

__all__ = ['run_load']


def run_load(
    settings: Settings,
    client: Client,
    call: DescribedCall,
    plan: Plan,
    trace_id: str,
    as_json: bool,
) -> None:
    """Make the calls of a plan and print the figures.

    Raises OperationFailed if a call failed, and Interrupted, after the figures of what was done.
    """
    generator = LoadGenerator(call.through(client), plan)
    interrupted: Interrupted | None = None
    try:
        _watch(settings, generator, plan, str(call.subject))
    except Interrupted as error:
        interrupted = error
    except RpcError as error:
        # Only the first call raises, for a mistake that all others would repeat.
        raise failure(client, call, error) from error
    facts = {
        'subject': str(call.subject),
        'version': call.subject.version,
        'address': call.address,
        'trace_id': trace_id,
        'concurrency': plan.concurrency,
        'requests': plan.requests,
        'duration': plan.duration,
        'interrupted': interrupted is not None,
        'cut': generator.cut,
    }
    document = figures(generator.tally, generator.seconds, facts)
    if as_json:
        Printer(settings).json(document)
    else:
        write(text(document))
    if interrupted is not None:
        raise interrupted
    if generator.tally.failures:
        raise OperationFailed(f'{document["failures"]} of {document["calls"]} calls failed')


def _watch(settings: Settings, generator: LoadGenerator, plan: Plan, label: str) -> None:
    """Run the generator; on a terminal show how it fares."""
    if not sys.stderr.isatty():
        generator.run()
        return
    tally = generator.tally
    faring = Faring(tally)
    # of a plan that has both, calls are what is counted
    total, unit = (plan.duration, 's') if plan.requests is None else (plan.requests, 'calls')
    with Progress(settings, label, total, unit=unit, keep=False) as bar:

        def show() -> None:
            seconds = generator.seconds
            done = seconds if plan.requests is None else tally.calls
            bar.update(done if total is None else min(done, total), faring.words(seconds))

        generator.run(show)
