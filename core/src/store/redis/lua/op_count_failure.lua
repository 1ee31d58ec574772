-- Counts one more failure in a window that began with its first failure.
-- KEYS[1] the window
-- ARGV: now or '', the length of a window in ms
-- Returns the number of failures in the window and how many ms are left of it.
local key, now, length = KEYS[1], current_time(ARGV[1]), tonumber(ARGV[2])
local found = redis.call('HMGET', key, 'n', 'e')
local count, ends = tonumber(found[1] or 0), tonumber(found[2] or 0)
if now >= ends then
  count, ends = 0, now + length
end
-- A clock that was set back must not extend the window.
count, ends = count + 1, math.min(ends, now + length)
redis.call('HSET', key, 'n', string.format('%d', count), 'e', string.format('%d', ends))
redis.call('PEXPIRE', key, string.format('%d', math.max(ends - now, 1)))
return {count, ends - now}
