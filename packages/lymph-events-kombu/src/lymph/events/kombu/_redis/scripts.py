"""What Redis does in one step: scripts in Lua, and the keys that they keep.

With the default `exchange` the keys are called like this (Q: a queue, I: the number of an event in
it, O: an instance):

=====================  =============================================================================
lymph:bindings         hash: Q -> its topics, parted by spaces
lymph:consumers:Q      hash: O -> the topics of an instance that consumes Q
lymph:version          text that changes with the bindings, so that emitters may remember them
lymph:temporary        hash: Q -> O, for the queues that end with their instance
lymph:ready:Q          list of I, the next one first
lymph:due:Q            sorted set of I by the Unix time in ms when they are ready
lymph:events:Q         hash: I -> time of its emission in ms, a space, the event
lymph:attempts:Q       hash: I -> how often it was delivered
lymph:losses:Q         hash: I -> how often it was lost with its instance
lymph:suspects:O       hash: Q -> I, what may be ending instances; nothing else of Q is leased to O
lymph:owners           sorted set of O by the time in ms until which they are taken for living
lymph:epochs           hash: O -> its connection; what arrives late over an older one leases nothing
lymph:owned:O          hash: I -> Q, what the instance has and has not settled
lymph:looked           when somebody looked for dead instances last, in ms
lymph:ahead            what is to be added to the clock of Redis, in ms
lymph:spared           hash of the O that were silent while nobody looked, and have another lifetime
lymph:ids              the last I
lymph:dead             sorted set of all dead letters by number
lymph:buried:Q         the same, of one queue
lymph:letter:I         hash: a dead letter
lymph:bell:Q           channel: the queue was empty, and is not any more; see `names`
=====================  =============================================================================

An event that was lost twice is a suspect: an instance leases it when it has nothing else of its
queue, and nothing else until it is settled. So it takes no others to the dead letters with it.

Nothing else happens in Redis while a script runs, and a reply is built as a whole before any of it
leaves. So what reads, leases or moves events ends with the one that exceeds a number of bytes; one
is always done, whatever its size. Whoever asked goes on with another script.

The clock is that of Redis, which is the wall clock of its machine. An instance looks at it several
times in its lifetime. When it shows less than at the last look it was set back, and the difference
is added from then on, so that delays and lifetimes go on. When it was set forward, nobody can tell
that from time that has passed: delayed events come earlier by as much; no owner that lives is taken
for dead.

A full Redis refuses `PUT` as a whole and lets everything else go on.
"""

from __future__ import annotations

from lymph.events.deliveries import LOSSES
from lymph.events.kombu._redis.surveys import DROP_QUEUE, RUNNING, SURVEY, WEIGH

__all__ = ['SCRIPTS']

_SUSPICIOUS = 2  # losses
_ASIDE = 100  # ms before it is asked again whether a suspect may be leased, or others beside it

_COMMON = """
local P, BELL = KEYS[1], KEYS[2]
local time = redis.call('TIME')

local function key(...) return P .. table.concat({...}, ':') end

local ahead = tonumber(redis.call('GET', key('ahead')) or 0)
local now = time[1] * 1000 + math.floor(time[2] / 1000) + ahead

-- whether there is a dead letter, and not what others have put in its place
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

-- an instance has an event no more
local function let_go(owner, queue, id)
    redis.call('HDEL', key('owned', owner), id)
    if redis.call('HGET', key('suspects', owner), queue) == id then
        redis.call('HDEL', key('suspects', owner), queue)
    end
end

-- calls with the id and queue of all that an instance has, the last one first
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

-- has a queue collect these topics and those of its living consumers, and no others
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
        -- what the last consumer collects is collected on
        local left = redis.call('HLEN', key('consumers', queue)) > 1
        if redis.call('HDEL', key('consumers', queue), owner) == 1 and left then bind(queue, '') end
    end
end

-- an instance lives; it looks after those that do not
local function live(owner, lifetime)
    local last = tonumber(redis.call('GET', key('looked')) or 0)
    if now < last then -- the clock was set back; time goes on where it was
        ahead, now = ahead + last - now, last
        redis.call('SET', key('ahead'), string.format('%.0f', ahead))
    end
    redis.call('SET', key('looked'), string.format('%.0f', now))
    redis.call('ZADD', key('owners'), now + lifetime, owner)
    redis.call('HDEL', key('spared'), owner)
    for _, other in ipairs(redis.call('ZRANGEBYSCORE', key('owners'), '-inf', now)) do
        -- where nobody has looked, Redis itself may have been away, and the others could say no
        -- word; they have another lifetime, but only one: where instances that emit come and go,
        -- nobody looks for long
        if now - last > lifetime and redis.call('HSETNX', key('spared'), other, 1) == 1 then
            redis.call('ZADD', key('owners'), now + lifetime, other)
        else
            dismiss(other, true)
        end
    end
end
""".replace('@LOSSES@', str(LOSSES))

# version, event, delay in ms (0: none), queues; {0, version, bindings} when that is another version
_PUT = """
local version = redis.call('GET', key('version')) or ''
if version ~= ARGV[1] then return {0, version, redis.call('HGETALL', key('bindings'))} end
local delay = tonumber(ARGV[3])
local record = string.format('%.0f ', now) .. ARGV[2]
for at = 4, #ARGV do put(ARGV[at], record, delay > 0 and now + delay) end
return {1}
"""

# queue, instance that consumes it ('': nobody yet), 1 if the queue ends with it, topics
_DECLARE = """
local queue, owner = ARGV[1], ARGV[2]
local topics = table.concat(ARGV, ' ', 4)
if owner ~= '' then redis.call('HSET', key('consumers', queue), owner, topics) end
if ARGV[3] == '1' then redis.call('HSET', key('temporary'), queue, owner) end
bind(queue, topics)
return 1
"""

_EXISTS = """
return redis.call('HEXISTS', key('bindings'), ARGV[1])
"""

_WITHDRAW = """
remove(ARGV[1])
return 1
"""

# instance, connection, its lifetime in ms, what it has; what else it owns it was never told of
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

# instance, connection, lifetime in ms; 0 when it was taken for dead
_LOOK = """
local owner = ARGV[1]
if redis.call('HGET', key('epochs'), owner) ~= ARGV[2] then return 0 end
live(owner, tonumber(ARGV[3]))
return 1
"""

_DISMISS = """
dismiss(ARGV[1])
return 1
"""

# instance, connection, bytes, then queues and how many of each; {1, {{id, queue, record,
# attempt}...}, {queue, ms until it has more...}}, {0} when the instance was taken for dead
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

-- takes what may be leased out of a queue; also returns whether the rest has to wait for a suspect
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

-- puts back to the front what was taken and not leased
local function put_back(queue, ids, first)
    for at = #ids, first, -1 do
        redis.call('LPUSH', key('ready', queue), ids[at])
        if redis.call('HGET', key('suspects', owner), queue) == ids[at] then
            redis.call('HDEL', key('suspects', owner), queue)
        end
    end
end

-- leases what there is room for; returns whether that is all
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

-- leases from a queue; returns in how many ms it has more, if ever
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

# instance, id, what becomes of it, and the delay in ms or the error; nothing if it has it no more
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

# queue ('': all), the number after which to begin, how many, bytes: {whether there may be more,
# {id, field, value...}...}
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

# queue ('': all); returns how many dead letters there are
_COUNT = """
return redis.call('ZCARD', ARGV[1] == '' and key('dead') or key('buried', ARGV[1]))
"""

# bytes, ids of dead letters; returns how many were looked at, and those whose queues there are
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

# ids of dead letters; returns how many were looked at, and those that there were
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

#: by what they do
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
