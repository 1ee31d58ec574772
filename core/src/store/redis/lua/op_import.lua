-- KEYS[1] the hash of the user
-- ARGV: now or '', session, what is replaced, what replaces it, expiry; both as a record and its texts,
--       in the order of each_session, '' for what is not there
-- Returns the record that is there instead, and its texts; nothing if it was replaced.
local key, session = KEYS[1], ARGV[2]
local names = {
  session, label_field(session), note_field(session, UPDATED_CLAIMS),
  note_field(session, CREATED_FROM), note_field(session, REFRESHED_FROM),
}
local stored = redis.call('HMGET', key, unpack(names))
local is_same = true
for i = 1, #names do
  stored[i] = stored[i] or ''
  is_same = is_same and stored[i] == ARGV[2 + i]
end
if not is_same then return { stored[1], { stored[2], stored[3], stored[4], stored[5] } } end
local left = redis.call('PTTL', key)
for i, name in ipairs(names) do
  local new = ARGV[2 + #names + i]
  if new == '' then
    redis.call('HDEL', key, name)
  else
    redis.call('HSET', key, name, new)
  end
end
local expires, now = tonumber(ARGV[3 + 2 * #names]), current_time(ARGV[1])
redis.call('PEXPIRE', key, string.format('%d', math.max(left, expires - now + RETENTION)))
return false
