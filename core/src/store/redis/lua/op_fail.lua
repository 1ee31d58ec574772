-- Counts one more failure in a window that began with the first one.
-- KEYS[1] the window
-- ARGV: the present instant or '', the length of a window in ms
-- Answers how many failures there are by now, and how many ms the window lasts yet.
local key, now, length = KEYS[1], instant(ARGV[1]), tonumber(ARGV[2])
local found = redis.call('HMGET', key, 'n', 'e')
local count, ends = tonumber(found[1] or 0), tonumber(found[2] or 0)
if now >= ends then
  count, ends = 0, now + length
end
-- A clock that was set back does not make it longer.
count, ends = count + 1, math.min(ends, now + length)
redis.call('HSET', key, 'n', string.format('%d', count), 'e', string.format('%d', ends))
redis.call('PEXPIRE', key, string.format('%d', math.max(ends - now, 1)))
return {count, ends - now}
