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

from lymph.events.deliveries import LOSSES
from lymph.events.kombu._redis.surveys import DROP_QUEUE, RUNNING, SURVEY, WEIGH

__all__ = ['SCRIPTS']

_SUSPICIOUS = 2  # losses
_ASIDE = 100  # ms until the next lease from a queue in which a suspect makes others wait

_COMMON = """
local P, BELL = KEYS[1], KEYS[2]
local time = redis.call('TIME')

local function key(...) return P .. table.concat({...}, ':') end

local ahead = tonumber(redis.call('GET', key('ahead')) or 0)
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ahead

-- whether the key holds a dead letter, and not a value of another type that others wrote there
local function sound(id) return redis.call('TYPE', key('letter', id)).ok == 'hash' end
local function ring(queue) redis.call('PUBLISH', BELL .. queue, '') end

local function ready(queue, id, push)
    if redis.call(push, key('ready', queue), id) == 1 then ring(queue) end
end

local function wait(queue, id, due)
    redis.call('ZADD', key('due', queue), due, id)
    if redis.call('ZRANGE', key('due', queue), 0, 0)[1] == id then ring(queue) end
end

local function number() return string.format('%.0f', redis.call('INCR', key('ids'))) end

local function put(queue, record, due)
    local id = number()
    redis.call('HSET', key('events', queue), id, record)
    if due then wait(queue, id, due) else ready(queue, id, 'RPUSH') end
end

local function forget(queue, id)
    redis.call('HDEL', key('events', queue), id)
    redis.call('HDEL', key('attempts', queue), id)
    redis.call('HDEL', key('losses', queue), id)
end

local function bury(queue, id, error)
    local record = redis.call('HGET', key('events', queue), id)
    if not record then return end
    local letter = number()
    redis.call('HSET', key('letter', letter), 'queue', queue, 'record', record, 'error', error,
        'attempts', redis.call('HGET', key('attempts', queue), id) or '0',
        'died', string.format('%.0f', now - ahead), 'ahead', string.format('%.0f', ahead))
    redis.call('ZADD', key('dead'), letter, letter)
    redis.call('ZADD', key('buried', queue), letter, letter)
    forget(queue, id)
end

local function unbury(letter, queue)
    redis.call('DEL', key('letter', letter))
    redis.call('ZREM', key('dead'), letter)
    redis.call('ZREM', key('buried', queue), letter)
end

local function give_back(queue, id, uncounted)
    if redis.call('HEXISTS', key('events', queue), id) == 1 then
        if uncounted then redis.call('HINCRBY', key('attempts', queue), id, -1) end
        ready(queue, id, 'LPUSH')
    end
end

-- an instance does not hold an event any more
local function let_go(owner, queue, id)
    redis.call('HDEL', key('owned', owner), id)
    if redis.call('HGET', key('suspects', owner), queue) == id then
        redis.call('HDEL', key('suspects', owner), queue)
    end
end

-- calls call(id, queue) for each event that an instance holds, the highest id first
local function each_owned(owner, call)
    local owned = redis.call('HGETALL', key('owned', owner))
    local ids, queues = {}, {}
    for at = 1, #owned, 2 do
        ids[#ids + 1], queues[owned[at]] = owned[at], owned[at + 1]
    end
    table.sort(ids, function(a, b) return tonumber(a) > tonumber(b) end)
    for _, id in ipairs(ids) do call(id, queues[id]) end
end

local function changed()
    local before = redis.call('GET', key('version')) or ''
    redis.call('SET', key('version'), redis.sha1hex(before .. time[1] .. '.' .. time[2]))
end

-- binds a queue to these topics and to those of its live consumers, and to no others
local function bind(queue, topics)
    local found, known = {}, {}
    local function add(text)
        for topic in string.gmatch(text, '%S+') do
            if not known[topic] then found[#found + 1], known[topic] = topic, true end
        end
    end
    add(topics)
    local consumers = redis.call('HGETALL', key('consumers', queue))
    for at = 1, #consumers, 2 do
        if redis.call('ZSCORE', key('owners'), consumers[at]) then
            add(consumers[at + 1])
        else
            redis.call('HDEL', key('consumers', queue), consumers[at])
        end
    end
    table.sort(found)
    local bindings = table.concat(found, ' ')
    if bindings ~= redis.call('HGET', key('bindings'), queue) then
        redis.call('HSET', key('bindings'), queue, bindings)
        changed()
    end
end

local function remove(queue)
    redis.call('HDEL', key('temporary'), queue)
    redis.call('HDEL', key('bindings'), queue)
    redis.call('DEL', key('ready', queue), key('due', queue), key('events', queue),
        key('attempts', queue), key('losses', queue), key('consumers', queue))
    changed()
end

local function dismiss(owner, lost)
    each_owned(owner, function(id, queue)
        local losses = tonumber(redis.call('HGET', key('losses', queue), id) or 0)
        if lost and losses >= @LOSSES@ then
            local attempts = redis.call('HGET', key('attempts', queue), id) or '0'
            bury(queue, id, 'its consumer ended in attempt ' .. attempts .. ', as often before')
        else
            if lost then redis.call('HINCRBY', key('losses', queue), id, 1) end
            give_back(queue, id)
        end
    end)
    redis.call('DEL', key('owned', owner), key('suspects', owner))
    redis.call('ZREM', key('owners'), owner)
    redis.call('HDEL', key('epochs'), owner)
    redis.call('HDEL', key('spared'), owner)
    local temporary = redis.call('HGETALL', key('temporary'))
    for at = 1, #temporary, 2 do
        if temporary[at + 1] == owner then remove(temporary[at]) end
    end
    for _, queue in ipairs(redis.call('HKEYS', key('bindings'))) do
        -- the topics of the last consumer stay bound, so that its events are still collected
        local left = redis.call('HLEN', key('consumers', queue)) > 1
        if redis.call('HDEL', key('consumers', queue), owner) == 1 and left then bind(queue, '') end
    end
end

-- records that an instance is alive, and dismisses those that are not
local function live(owner, lifetime)
    local last = tonumber(redis.call('GET', key('looked')) or 0)
    if now < last then -- the clock was set back; time continues at the last reading
        ahead, now = ahead + last - now, last
        redis.call('SET', key('ahead'), string.format('%.0f', ahead))
    end
    redis.call('SET', key('looked'), string.format('%.0f', now))
    redis.call('ZADD', key('owners'), now + lifetime, owner)
    redis.call('HDEL', key('spared'), owner)
    for _, other in ipairs(redis.call('ZRANGEBYSCORE', key('owners'), '-inf', now)) do
        -- If nobody checked for a lifetime, Redis itself may have been away, so that the others
        -- could not report. They get one more lifetime, but only one: a system whose instances
        -- only emit now and then may go without a check for long.
        if now - last > lifetime and redis.call('HSETNX', key('spared'), other, 1) == 1 then
            redis.call('ZADD', key('owners'), now + lifetime, other)
        else
            dismiss(other, true)
        end
    end
end
""".replace('@LOSSES@', str(LOSSES))

# Arguments: version of the bindings, event, delay in ms (0: none), queues.
# Returns {1}, or {0, version, bindings} if the bindings have another version now.
_PUT = """
local version = redis.call('GET', key('version')) or ''
if version ~= ARGV[1] then return {0, version, redis.call('HGETALL', key('bindings'))} end
local delay = tonumber(ARGV[3])
local record = string.format('%.0f ', now) .. ARGV[2]
for at = 4, #ARGV do put(ARGV[at], record, delay > 0 and now + delay) end
return {1}
"""

# Arguments: queue, instance that consumes it ('': none), 1 if the queue is temporary, topics.
_DECLARE = """
local queue, owner = ARGV[1], ARGV[2]
local topics = table.concat(ARGV, ' ', 4)
if owner ~= '' then redis.call('HSET', key('consumers', queue), owner, topics) end
if ARGV[3] == '1' then redis.call('HSET', key('temporary'), queue, owner) end
bind(queue, topics)
return 1
"""

# Arguments: queue. Returns 1 if it exists, else 0.
_EXISTS = """
return redis.call('HEXISTS', key('bindings'), ARGV[1])
"""

# Arguments: queue. Deletes it with all events in it.
_WITHDRAW = """
remove(ARGV[1])
return 1
"""

# Arguments: instance, id of its connection, its lifetime in ms, ids of the events that it holds.
# Returns its other events to their queues: the answer with them was lost.
_ENROLL = """
local owner, held = ARGV[1], {}
for at = 4, #ARGV do held[ARGV[at]] = true end
live(owner, tonumber(ARGV[3]))
redis.call('HSET', key('epochs'), owner, ARGV[2])
each_owned(owner, function(id, queue)
    if not held[id] then
        let_go(owner, queue, id)
        give_back(queue, id, true)
    end
end)
return 1
"""

# Arguments: instance, id of its connection, its lifetime in ms.
# Returns 1, or 0 if the instance was taken for dead.
_LOOK = """
local owner = ARGV[1]
if redis.call('HGET', key('epochs'), owner) ~= ARGV[2] then return 0 end
live(owner, tonumber(ARGV[3]))
return 1
"""

# Arguments: instance. Returns its events to their queues and deletes its temporary queues.
_DISMISS = """
dismiss(ARGV[1])
return 1
"""

# Arguments: instance, id of its connection, bytes, then pairs of a queue and a number of events.
# Returns {1, {{id, queue, record, attempt}...}, {queue, ms until it has more, ...}}, or {0} if the
# instance was taken for dead.
_LEASE = """
local owner = ARGV[1]
if redis.call('HGET', key('epochs'), owner) ~= ARGV[2] then return {0} end
local leased, dues, room = {}, {}, tonumber(ARGV[3])

local function has_any_of(queue)
    for _, each in ipairs(redis.call('HVALS', key('owned', owner))) do
        if each == queue then return true end
    end
    return false
end

-- takes ids that may be leased out of a queue; also returns whether a suspect makes others wait
local function take(queue, count)
    if redis.call('EXISTS', key('losses', queue)) == 0 then
        return redis.call('LPOP', key('ready', queue), count) or {}, false
    end
    if redis.call('HEXISTS', key('suspects', owner), queue) == 1 then return {}, true end
    local ids = redis.call('LRANGE', key('ready', queue), 0, count - 1)
    local first = 0
    for at, id in ipairs(ids) do
        if tonumber(redis.call('HGET', key('losses', queue), id) or 0) >= @SUSPICIOUS@ then
            first = at
            break
        end
    end
    local taken = first == 0 and #ids or first - 1
    if first == 1 and not has_any_of(queue) then
        redis.call('HSET', key('suspects', owner), queue, ids[1])
        taken = 1
    end
    if taken == 0 then return {}, first > 0 end
    return redis.call('LPOP', key('ready', queue), taken), first > 0
end

-- puts ids that were taken, but not leased, back to the front
local function put_back(queue, ids, first)
    for at = #ids, first, -1 do
        redis.call('LPUSH', key('ready', queue), ids[at])
        if redis.call('HGET', key('suspects', owner), queue) == ids[at] then
            redis.call('HDEL', key('suspects', owner), queue)
        end
    end
end

-- leases the events that there is room for; returns whether these are all of them
local function lease(queue, ids)
    for at, id in ipairs(ids) do
        local record = redis.call('HGET', key('events', queue), id)
        if record then
            if #record > room and #leased > 0 then
                room = 0
                put_back(queue, ids, at)
                return false
            end
            room = room - #record
            local attempt = redis.call('HINCRBY', key('attempts', queue), id, 1)
            redis.call('HSET', key('owned', owner), id, queue)
            leased[#leased + 1] = {id, queue, record, attempt}
        end
    end
    return true
end

-- leases from a queue; returns the ms until it has more, or nil
local function visit(queue, count)
    if room <= 0 then return 0 end
    local late = redis.call('ZRANGEBYSCORE', key('due', queue), '-inf', now, 'LIMIT', 0, 256)
    for _, id in ipairs(late) do
        redis.call('ZREM', key('due', queue), id)
        ready(queue, id, 'RPUSH')
    end
    local ids, aside = take(queue, count)
    if not lease(queue, ids) then return 0 end
    local first = redis.call('ZRANGE', key('due', queue), 0, 0, 'WITHSCORES')
    local wait = first[2] and math.max(tonumber(first[2]) - now, 0)
    if aside then wait = math.min(wait or @ASIDE@, @ASIDE@) end
    return wait
end

for at = 4, #ARGV, 2 do
    local queue = ARGV[at]
    local wait = visit(queue, tonumber(ARGV[at + 1]))
    if wait then
        dues[#dues + 1] = queue
        dues[#dues + 1] = wait
    end
end
return {1, leased, dues}
""".replace('@SUSPICIOUS@', str(_SUSPICIOUS)).replace('@ASIDE@', str(_ASIDE))

# Arguments: instance, id of an event, its outcome, and the delay in ms or the error.
# Changes nothing if the instance does not hold the event any more.
_SETTLE = """
local owner, id, fate = ARGV[1], ARGV[2], ARGV[3]
local queue = redis.call('HGET', key('owned', owner), id)
if not queue then return 0 end
let_go(owner, queue, id)
if fate == 'handled' then
    forget(queue, id)
elseif fate == 'dead' then
    bury(queue, id, ARGV[4])
elseif fate == 'unbegun' then
    give_back(queue, id, true)
elseif fate == 'begun' then
    give_back(queue, id)
elseif redis.call('HEXISTS', key('events', queue), id) == 1 then
    wait(queue, id, now + ARGV[4])
end
return 1
"""

# Arguments: queue ('': all), number after which to begin, how many, bytes.
# Returns {whether there may be more, {id, field, value, ...}...}.
_LETTERS = """
local index = ARGV[1] == '' and key('dead') or key('buried', ARGV[1])
local ids = redis.call('ZRANGEBYSCORE', index, '(' .. ARGV[2], '+inf', 'LIMIT', 0, ARGV[3])
local letters, room = {#ids == tonumber(ARGV[3]) and 1 or 0}, tonumber(ARGV[4])
for at, id in ipairs(ids) do
    room = room - (sound(id) and redis.call('HSTRLEN', key('letter', id), 'record') or 0)
    if room < 0 and at > 1 then
        letters[1] = 1
        break
    end
    local letter = sound(id) and redis.call('HGETALL', key('letter', id)) or {}
    table.insert(letter, 1, id)
    letters[#letters + 1] = letter
end
return letters
"""

# Arguments: queue ('': all). Returns the number of its dead letters.
_COUNT = """
return redis.call('ZCARD', ARGV[1] == '' and key('dead') or key('buried', ARGV[1]))
"""

# Arguments: bytes, ids of dead letters.
# Returns {how many ids were processed, ids of those that were put back into their queues...}.
_REPLAY = """
local replayed, room = {#ARGV - 1}, tonumber(ARGV[1])
for at = 2, #ARGV do
    local id = ARGV[at]
    room = room - (sound(id) and redis.call('HSTRLEN', key('letter', id), 'record') or 0)
    if room < 0 and at > 2 then
        replayed[1] = at - 2
        break
    end
    local letter = sound(id) and redis.call('HMGET', key('letter', id), 'queue', 'record') or {}
    if letter[1] and letter[2] and redis.call('HEXISTS', key('bindings'), letter[1]) == 1 then
        put(letter[1], letter[2])
        unbury(id, letter[1])
        replayed[#replayed + 1] = id
    end
end
return replayed
"""

# Arguments: ids of dead letters.
# Returns {how many ids were processed, ids of those that existed...}.
_DROP = """
local dropped = {#ARGV}
for _, id in ipairs(ARGV) do
    if redis.call('ZSCORE', key('dead'), id) then
        unbury(id, sound(id) and redis.call('HGET', key('letter', id), 'queue') or '')
        dropped[#dropped + 1] = id
    end
end
return dropped
"""

_REFUSED_WHEN_FULL = '#!lua\n'
_ALLOWED_WHEN_FULL = '#!lua flags=allow-oom\n'

#: by name
SCRIPTS = {
    'put': _REFUSED_WHEN_FULL + _COMMON + _PUT,
    **{
        name: _ALLOWED_WHEN_FULL + _COMMON + text
        for name, text in {
            'declare': _DECLARE,
            'exists': _EXISTS,
            'withdraw': _WITHDRAW,
            'enroll': _ENROLL,
            'look': _LOOK,
            'dismiss': _DISMISS,
            'lease': _LEASE,
            'settle': _SETTLE,
            'letters': _LETTERS,
            'count': _COUNT,
            'replay': _REPLAY,
            'drop': _DROP,
            'survey': SURVEY,
            'running': RUNNING,
            'weigh': WEIGH,
            'drop_queue': DROP_QUEUE,
        }.items()
    },
}
