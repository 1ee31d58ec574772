-- KEYS[1] the hash of the user
-- ARGV: now or '', session, reason
local stored = redis.call('HGET', KEYS[1], ARGV[2])
if not stored then return UNKNOWN end
local r = unpack_record(stored)
local now = current_time(ARGV[1])
if now >= r.expires then return UNKNOWN end
if r.state ~= LIVE then return ALREADY_REVOKED end
local is_idle = now >= r.idle
revoke_record(r, tonumber(ARGV[3]), now)
redis.call('HSET', KEYS[1], ARGV[2], pack_record(r))
return is_idle and ALREADY_REVOKED or REVOKED
