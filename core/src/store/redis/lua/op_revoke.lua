-- KEYS[1] the user's hash
-- ARGV: now or '', session, reason
local stored = redis.call('HGET', KEYS[1], ARGV[2])
if not stored then return 'unknown' end
local r = unpack_record(stored)
if instant(ARGV[1]) >= r.expires then return 'unknown' end
if r.state ~= LIVE then return 'already_revoked' end
r.state = tonumber(ARGV[3])
redis.call('HSET', KEYS[1], ARGV[2], pack_record(r))
return 'revoked'
