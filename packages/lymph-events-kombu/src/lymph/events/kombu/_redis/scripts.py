"""The Lua scripts that Redis executes, each as one atomic step, and their keys.

With the default `exchange` these are the keys (Q: a queue, I: the number of an event, O: an
instance as the owner of leased events):

=====================  =============================================================================
lymph:bindings         hash: Q -> its topics, separated by spaces
lymph:consumers:Q      hash: O -> the topics of an instance that consumes Q
lymph:version          text that changes with the bindings, so that emitters can cache them
lymph:temporary        hash: Q -> O, for the queues that end with their instance
lymph:ready:Q          list of I, the next one first
lymph:due:Q            sorted set of I by the Unix time in ms at which they become ready
lymph:events:Q         hash: I -> time of its emission in ms, a space, the event
lymph:attempts:Q       hash: I -> how often it was delivered
lymph:losses:Q         hash: I -> how many instances died while they held it
lymph:suspects:O       hash: Q -> I, a suspect (see below) that O holds; O leases nothing else of Q
lymph:owners           sorted set of O by the time in ms until which they count as alive
lymph:epochs           hash: O -> id of its connection; commands of earlier ones lease nothing
lymph:owned:O          hash: I -> Q, the events that O has leased and not settled
lymph:looked           time in ms of the last check for dead instances
lymph:ahead            correction in ms that is added to the clock of Redis
lymph:spared           hash of the O that were silent while nobody checked: one more lifetime each
lymph:ids              the last number that was given to an event or a dead letter
lymph:dead             sorted set of all dead letters by number
lymph:buried:Q         sorted set of the dead letters of one queue by number
lymph:letter:I         hash: a dead letter
lymph:bell:Q           channel: Q was empty and is not empty any more; see `names`
=====================  =============================================================================

An event that two instances held when they died is a suspect: it may be what ends them. An instance
leases a suspect only when it holds no other event of that queue, and leases no other until the
suspect is settled. So a suspect takes no other events to the dead letters with it.

Redis executes nothing else while a script runs, and builds the whole reply before it sends any of
it. So scripts that read, lease or move events stop at a number of bytes, but process at least one
event, whatever its size. The caller continues with another script.

Time is the clock of Redis, which is the wall clock of its machine. Each instance reads it several
times in a lifetime. If it shows less than at the last reading, it was set back: the difference is
added from then on, so that delays and lifetimes go on. If it was set forward, no script can tell:
delayed events become ready earlier by that difference, but no live owner is taken for dead.

A Redis without free memory refuses the script `put` before it changes anything, and executes all
other scripts.
"""

from __future__ import annotations

from lymph.events.kombu._redis.lua.functions import FUNCTIONS
from lymph.events.kombu._redis.lua.leases import DISMISS, ENROLL, LEASE, LOOK, SETTLE
from lymph.events.kombu._redis.lua.letters import COUNT, DROP, LETTERS, REPLAY
from lymph.events.kombu._redis.lua.queues import DECLARE, EXISTS, PUT, WITHDRAW
from lymph.events.kombu._redis.lua.surveys import DROP_QUEUE, RUNNING, SURVEY, WEIGH

__all__ = ['SCRIPTS']

_REFUSED_WHEN_FULL = '#!lua\n'
_ALLOWED_WHEN_FULL = '#!lua flags=allow-oom\n'

#: by name
SCRIPTS = {
    'put': _REFUSED_WHEN_FULL + FUNCTIONS + PUT,
    **{
        name: _ALLOWED_WHEN_FULL + FUNCTIONS + text
        for name, text in {
            'declare': DECLARE,
            'exists': EXISTS,
            'withdraw': WITHDRAW,
            'enroll': ENROLL,
            'look': LOOK,
            'dismiss': DISMISS,
            'lease': LEASE,
            'settle': SETTLE,
            'letters': LETTERS,
            'count': COUNT,
            'replay': REPLAY,
            'drop': DROP,
            'survey': SURVEY,
            'running': RUNNING,
            'weigh': WEIGH,
            'drop_queue': DROP_QUEUE,
        }.items()
    },
}
