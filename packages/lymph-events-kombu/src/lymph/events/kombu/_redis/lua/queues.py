"""Lua scripts that put events into queues, and that declare and delete queues."""

from __future__ import annotations

__all__ = ['DECLARE', 'EXISTS', 'PUT', 'WITHDRAW']

# Arguments: version of the bindings, event, delay in ms (0: none), queues.
# Returns {1}, or {0, version, bindings} if the bindings have another version now.
PUT = """
local version = redis.call('GET', key('version')) or ''
if version ~= ARGV[1] then return {0, version, redis.call('HGETALL', key('bindings'))} end
local delay = tonumber(ARGV[3])
local record = string.format('%.0f ', now) .. ARGV[2]
for at = 4, #ARGV do put(ARGV[at], record, delay > 0 and now + delay) end
return {1}
"""

# Arguments: queue, instance that consumes it ('': none), 1 if the queue is temporary, topics.
DECLARE = """
local queue, owner = ARGV[1], ARGV[2]
local topics = table.concat(ARGV, ' ', 4)
if owner ~= '' then redis.call('HSET', key('consumers', queue), owner, topics) end
if ARGV[3] == '1' then redis.call('HSET', key('temporary'), queue, owner) end
bind(queue, topics)
return 1
"""

# Arguments: queue. Returns 1 if it exists, else 0.
EXISTS = """
return redis.call('HEXISTS', key('bindings'), ARGV[1])
"""

# Arguments: queue. Deletes it with all events in it.
WITHDRAW = """
remove(ARGV[1])
return 1
"""
