-- KEYS[1] the user's hash
-- ARGV: now or '', session, reason
local stored = redis.call('HGET', KEYS[1], ARGV[2])
if not stored then return 0 end
local r = unpack_record(stored)
if r.state ~= LIVE or instant(ARGV[1]) >= r.expires then return 0 end
r.state = tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[2], pack_record(r))
return 1
