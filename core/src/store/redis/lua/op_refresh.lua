-- KEYS[1] the hash of the user
-- ARGV: now or '', session, gen, branch, id, parent or '', iat, exp,
--       grace, unused grace, idle ttl, rotate 0|1, revoke all of the user's sessions on reuse 0|1,
--       client or '', perhaps the time at which the caller gives up
local key, session = KEYS[1], ARGV[2]
local fields = redis.call('HMGET', key, session, note_field(session, UPDATED_CLAIMS),
  note_field(session, CREATED_FROM), note_field(session, REFRESHED_FROM))
local stored = fields[1]
if not stored then return false end
local now = current_time(ARGV[1])
-- After a network partition a request may arrive when its caller has retried elsewhere and gone on:
-- acting on it would look like a second holder of the token.
if ARGV[15] and now > tonumber(ARGV[15]) then
  return redis.error_reply('LATE ' .. string.format('%d', now))
end
local r = unpack_record(stored)
if now >= r.expires_at then return false end
local p = {
  gen = tonumber(ARGV[3]), branch = tonumber(ARGV[4]), id = ARGV[5], parent = ARGV[6],
  iat = tonumber(ARGV[7]), exp = tonumber(ARGV[8]),
}
local policy = {
  grace = tonumber(ARGV[9]), unused_grace = tonumber(ARGV[10]),
  idle_ttl = tonumber(ARGV[11]), rotate = ARGV[12] == '1',
}
local answer = step(r, p, now, policy)
if answer.write then redis.call('HSET', key, session, pack_record(r)) end
local client = ARGV[14]
if client ~= '' and (answer.decision == ROTATE or answer.decision == RENEW) then
  redis.call('HSET', key, note_field(session, REFRESHED_FROM), client == fields[3] and SAME or client)
end
if answer.decision == REUSE and ARGV[13] == '1' then revoke_live(key, now, REUSED) end
return {
  answer.decision, tostring(answer.detail or ''),
  r.gen, r.branch, r.issued_at, answer.expires_at or 0, answer.discarded or -1, answer.issued_until or 0,
  fields[2] or '', answer.decision == REUSE and fields[3] or '', answer.decision == REUSE and fields[4] or '',
}
