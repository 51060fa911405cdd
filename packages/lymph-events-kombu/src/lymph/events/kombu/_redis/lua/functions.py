"""The Lua functions that all scripts share."""

from __future__ import annotations

from lymph.events.deliveries import LOSSES

__all__ = ['FUNCTIONS']

FUNCTIONS = """
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
