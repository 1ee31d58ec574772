-- KEYS[1] the user's hash
-- ARGV: now or '', session, gen, branch, id, parent or '', iat, exp,
--       grace, idle ttl, rotate 0|1, theft scope 'session'|'subject',
--       perhaps until when the caller waits
local key, session = KEYS[1], ARGV[2]
local stored = redis.call('HGET', key, session)
if not stored then return false end
local now = instant(ARGV[1])
-- On a link that was cut off for a while it may come after its caller has asked again elsewhere and
-- gone on: acting on it would take that for a second holder.
if ARGV[13] and now > tonumber(ARGV[13]) then
  return redis.error_reply('LATE ' .. string.format('%d', now))
end
local r = unpack_record(stored)
if now >= r.expires then return false end
local p = {
  gen = tonumber(ARGV[3]), branch = tonumber(ARGV[4]), id = ARGV[5], parent = ARGV[6],
  iat = tonumber(ARGV[7]), exp = tonumber(ARGV[8]),
}
local policy = {
  grace = tonumber(ARGV[9]), idle_ttl = tonumber(ARGV[10]), rotate = ARGV[11] == '1',
}
local answer = step(r, p, now, policy)
if answer.write then redis.call('HSET', key, session, pack_record(r)) end
if answer.decision == 'theft' and ARGV[12] == 'subject' then revoke_live(key, now, REUSED) end
return {
  answer.decision, tostring(answer.detail or ''),
  r.gen, r.branch, r.minted, r.idle, answer.abandoned or -1, answer.issued_until or 0,
}
