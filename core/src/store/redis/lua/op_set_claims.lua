-- KEYS[1] the hash of the user
-- ARGV: now or '', session, claims
-- Returns whether the session is live.
local key, session = KEYS[1], ARGV[2]
local field = note_field(session, UPDATED_CLAIMS)
local fields = redis.call('HMGET', key, session, field)
if not fields[1] then return 0 end
local r, now = unpack_record(fields[1]), current_time(ARGV[1])
if r.state ~= LIVE or now >= r.idle_deadline or now >= r.expires_at then return 0 end
-- Later than the claims before, whatever the clock says.
local before = tonumber(string.match(fields[2] or '', '^%d+'))
local at = before and math.max(now, before + 1) or now
redis.call('HSET', key, field, string.format('%d ', at) .. ARGV[3])
return 1
