"""Lua scripts by which an instance reports that it is alive, leases events and settles them."""

from __future__ import annotations

__all__ = ['DISMISS', 'ENROLL', 'LEASE', 'LOOK', 'SETTLE']

_SUSPICIOUS = 2  # losses
_ASIDE = 100  # ms until the next lease from a queue whose events wait for a suspect

# Arguments: instance, id of its connection, its lifetime in ms, ids of the events that it holds.
# Returns its other events to their queues: the answer with them was lost.
ENROLL = """
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
LOOK = """
local owner = ARGV[1]
if redis.call('HGET', key('epochs'), owner) ~= ARGV[2] then return 0 end
live(owner, tonumber(ARGV[3]))
return 1
"""

# Arguments: instance. Returns its events to their queues and deletes its temporary queues.
DISMISS = """
dismiss(ARGV[1])
return 1
"""

# Arguments: instance, id of its connection, bytes, then pairs of a queue and a number of events.
# Returns {1, {{id, queue, record, attempt}...}, {queue, ms until it has more, ...}}, or {0} if the
# instance was taken for dead.
LEASE = """
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
SETTLE = """
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
