-- KEYS[1] the user's hash
-- ARGV: now or '', session, reason
local stored = redis.call('HGET', KEYS[1], ARGV[2])
if not stored then return 'unknown' end
local r = unpack_record(stored)
local now = instant(ARGV[1])
if now >= r.expires then return 'unknown' end
if r.state ~= LIVE then return 'already_revoked' end
end_record(r, tonumber(ARGV[3]), now)
redis.call('HSET', KEYS[1], ARGV[2], pack_record(r))
return 'revoked'
