"""What each command of lymph does, as `lymph --help` and `lymph list` say it.

It is the first sentence of the command's own help. It stands here, too, so that a list of all
commands imports none of them. A command without a line here is imported for its help.
"""

from __future__ import annotations

__all__ = ['SUMMARIES']

SUMMARIES = {
    'change-loglevel': (
        'Set the level of a logger in all instances of a service, or in one of them.'
    ),
    'completion': (
        'Print the script that completes lymph in a shell: commands, options, services and methods.'
    ),
    'config': 'Print the configuration that is in effect, or what is at KEY in it.',
    'dashboard': 'Serve a page that shows services, queues, logs and traces, and calls methods.',
    'discover': 'List the services that are running now, or those that are named.',
    'dlq': 'Look at the dead letters, the events that were given up, and settle them.',
    'doctor': 'Look for what is wrong with the configuration, this machine and all instances.',
    'emit': 'Emit an event; returns when the event is safe.',
    'help': 'Explain a command, or lymph as a whole.',
    'inspect': 'Print what a service offers in each of its versions.',
    'instance': 'Run one instance of the services that a configuration names in `interfaces`.',
    'list': 'List all commands, those of other distributions too.',
    'metrics': 'Print the metrics of all instances of a service.',
    'new': 'Make a folder with a service that runs, its configuration, a test and a README.',
    'node': 'Run all instances that a configuration names, and keep them running.',
    'queues': 'List the queues of the event system, and drop those that nobody needs any more.',
    'request': 'Call a method of a service and print its reply.',
    'shell': 'Start a Python prompt with a client, or inside of an instance that runs.',
    'subscribe': 'Print events as they happen.',
    'tail': 'Follow the logs of all instances of services.',
    'top': 'Watch what services do: rates, errors, latencies, event loops, memory, queues.',
    'trace': 'Show what happened to one trace in all instances, or list the latest traces.',
    'why': (
        'Tell why calls to a service fail: which instances they reach, which are passed over '
        'and why.'
    ),
    'worker': 'Run the tasks of the services that a configuration names in `interfaces`.',
}
