-- KEYS[1] the user's hash
-- ARGV: now or '', session, id, idle ttl, absolute ttl, device
local key, session = KEYS[1], ARGV[2]
local now = math.min(instant(ARGV[1]), LAST_INSTANT)
each_session(key, now, function() end)
local stored = redis.call('HGET', key, session)
if stored then return stored end
local expires = math.min(now + tonumber(ARGV[5]), LAST_INSTANT)
local bytes = pack_record({
  state = LIVE, gen = 0, id = ARGV[3], child = false, branch = 0, minted = 0, used = false,
  promoted = now, created = now, expires = expires,
  idle = math.min(now + tonumber(ARGV[4]), expires), device = ARGV[6],
})
local left = redis.call('PTTL', key)
redis.call('HSET', key, session, bytes)
-- The key lives as long as its longest session, which never moves its end.
redis.call('PEXPIRE', key, string.format('%d', math.max(left, expires - now)))
return bytes
