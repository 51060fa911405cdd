"""What options and arguments of commands offer to a shell, for `shell_complete=` of click.

========== =================================================================
services   names of services that are running
subjects   their methods, as INTERFACE.METHOD
parameters parameters of the method that is given as `subject`, as ``name=``
commands   subcommands of lymph
entries    what `instances` names in the configuration of the node
interfaces what `interfaces` names in the configuration
files      what the shell itself offers for a file
traces     ids of the latest traces
========== =================================================================

Commands of other distributions use them in the same way::

    @click.argument('service', shell_complete=services)

They raise nothing on their own, print nothing and wait for no more than a moment.
"""

from __future__ import annotations

from lymph.cli.lazy import lazy

__all__ = [
    'commands',
    'entries',
    'files',
    'interfaces',
    'parameters',
    'services',
    'subjects',
    'traces',
]

commands = lazy('lymph.cli._completing.offers:commands')
entries = lazy('lymph.cli._completing.offers:entries')
files = lazy('lymph.cli._completing.offers:files')
interfaces = lazy('lymph.cli._completing.offers:interfaces')
parameters = lazy('lymph.cli._completing.offers:parameters')
services = lazy('lymph.cli._completing.offers:services')
subjects = lazy('lymph.cli._completing.offers:subjects')
traces = lazy('lymph.cli._completing.offers:traces')
