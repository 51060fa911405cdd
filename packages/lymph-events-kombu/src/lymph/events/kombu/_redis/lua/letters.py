"""Lua scripts that read, replay and drop dead letters."""

from __future__ import annotations

__all__ = ['COUNT', 'DROP', 'LETTERS', 'REPLAY']

# Arguments: queue ('': all), number after which to begin, how many, bytes.
# Returns {whether there may be more, {id, field, value, ...}...}.
LETTERS = """
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
COUNT = """
return redis.call('ZCARD', ARGV[1] == '' and key('dead') or key('buried', ARGV[1]))
"""

# Arguments: bytes, ids of dead letters.
# Returns {how many ids were processed, ids of those that were put back into their queues...}.
REPLAY = """
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
DROP = """
local dropped = {#ARGV}
for _, id in ipairs(ARGV) do
    if redis.call('ZSCORE', key('dead'), id) then
        unbury(id, sound(id) and redis.call('HGET', key('letter', id), 'queue') or '')
        dropped[#dropped + 1] = id
    end
end
return dropped
"""
