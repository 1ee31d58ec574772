-- KEYS[1] the hash of the user
-- ARGV: now or '', session, reason
-- Returns what happened, and when the session had ended if it was over before.
local stored = redis.call('HGET', KEYS[1], ARGV[2])
if not stored then return { UNKNOWN, 0 } end
local r = unpack_record(stored)
local now, ended = current_time(ARGV[1]), r.idle_deadline
local was_live = r.state == LIVE and now < r.idle_deadline
-- An expired session too: the clock may be ahead.
if r.state == LIVE then
  revoke_record(r, tonumber(ARGV[3]), now)
  redis.call('HSET', KEYS[1], ARGV[2], pack_record(r))
end
if now >= r.expires_at then return { UNKNOWN, 0 } end
if was_live then return { REVOKED, 0 } end
return { ALREADY_REVOKED, ended }
