-- KEYS[1] the legacy key, KEYS[2] the marker, KEYS[3] user -> which of the user's tokens are revoked
-- ARGV: marker, ttl in ms, remove the legacy key 0|1, user
-- Returns { the marker that is now stored or nil, which tokens are revoked or nil }.
local revoked = redis.call('HGET', KEYS[3], ARGV[4])
if redis.call('EXISTS', KEYS[1]) == 0 then
  -- Removed by a sweep, or by a logout. A marker that says "kept" means the latter.
  local marker = redis.call('GET', KEYS[2])
  if marker and string.sub(marker, 1, 6) ~= 'swept ' then marker = false end
  return { marker, revoked }
end
redis.call('SET', KEYS[2], ARGV[1], 'PX', ARGV[2])
if ARGV[3] == '1' then
  redis.call('DEL', KEYS[1])
else
  -- Both expire with the session: a key that outlived the marker would start another session.
  redis.call('PEXPIRE', KEYS[1], ARGV[2])
end
return { ARGV[1], revoked }
