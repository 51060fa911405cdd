"""Lua scripts for the state of whole queues, and for their deletion. `scripts` lists the keys."""

from __future__ import annotations

__all__ = ['DROP_QUEUE', 'RUNNING', 'SURVEY', 'WEIGH']

# Counts the subscribers of the queue's bell; -1 if the user lacks the permission to count them.
_CONSUMERS = """
local function consumers(queue)
    local reply = redis.pcall('PUBSUB', 'NUMSUB', BELL .. queue)
    return reply.err and -1 or reply[2]
end
"""

# Arguments: names of queues, or none for all queues.
# Returns {{queue, whether it is temporary, ready, due, due and late, consumers, dead letters,
# ms since the oldest ready event was emitted}...}; -1 stands for unknown.
SURVEY = (
    _CONSUMERS
    + """
local function age(queue, id)
    local record = id and redis.call('HGET', key('events', queue), id)
    local emitted = record and tonumber(string.match(record, '^(%d+) '))
    return emitted and math.max(now - emitted, 0) or -1
end

local names = #ARGV > 0 and ARGV or redis.call('HKEYS', key('bindings'))
local found = {}
for _, queue in ipairs(names) do
    if redis.call('HEXISTS', key('bindings'), queue) == 1 then
        local due = redis.call('ZCARD', key('due', queue))
        local late = due > 0 and redis.call('ZCOUNT', key('due', queue), '-inf', now) or 0
        local oldest = age(queue, redis.call('LINDEX', key('ready', queue), 0))
        if late > 0 then
            local first = redis.call('ZRANGE', key('due', queue), 0, 0)[1]
            oldest = math.max(oldest, age(queue, first))
        end
        found[#found + 1] = {
            queue, redis.call('HEXISTS', key('temporary'), queue),
            redis.call('LLEN', key('ready', queue)), due, late, consumers(queue),
            redis.call('ZCARD', key('buried', queue)), oldest,
        }
    end
end
return found
"""
)

# Returns {queue, number of its events that instances hold, ...}.
RUNNING = """
local counts, found = {}, {}
for _, owner in ipairs(redis.call('ZRANGE', key('owners'), 0, -1)) do
    for _, queue in ipairs(redis.call('HVALS', key('owned', owner))) do
        counts[queue] = (counts[queue] or 0) + 1
    end
end
for queue, count in pairs(counts) do
    found[#found + 1] = queue
    found[#found + 1] = count
end
return found
"""

# Arguments: queue; `ready` or `due`; positions of the first and the last event.
# Returns the size of these events in bytes, without the time of emission in their records.
WEIGH = """
local queue, total = ARGV[1], 0
local range = ARGV[2] == 'ready' and 'LRANGE' or 'ZRANGE'
local time_of_emission = #string.format('%.0f ', now)
for _, id in ipairs(redis.call(range, key(ARGV[2], queue), ARGV[3], ARGV[4])) do
    local size = redis.call('HSTRLEN', key('events', queue), id)
    total = total + math.max(size - time_of_emission, 0)
end
return total
"""

# Arguments: queue; 1 to delete it even if it has consumers.
# Returns 0, or the number of consumers that prevent it (-1: unknown), or -2 if there is no such
# queue.
DROP_QUEUE = (
    _CONSUMERS
    + """
if redis.call('HEXISTS', key('bindings'), ARGV[1]) == 0 then return -2 end
if ARGV[2] ~= '1' then
    local there = consumers(ARGV[1])
    if there ~= 0 then return there end
end
remove(ARGV[1])
return 0
"""
)
