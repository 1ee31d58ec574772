-- `record_use` in session/step.rs, line for line.
-- KEYS[1] the user's hash
-- ARGV: now or '', session, gen, branch, denied 0|1, theft scope 'session'|'subject'
local key, session = KEYS[1], ARGV[2]
local stored = redis.call('HGET', key, session)
if not stored then return false end
local now = instant(ARGV[1])
local r = unpack_record(stored)
if now >= r.expires then return false end
if r.state ~= LIVE then return { 'revoked', r.state } end
local gen, branch = tonumber(ARGV[3]), tonumber(ARGV[4])
local of_child = r.child and gen == r.gen + 1
if ARGV[5] == '1' or (of_child and branch < r.branch) then
  end_record(r, REUSED, now)
  redis.call('HSET', key, session, pack_record(r))
  if ARGV[6] == 'subject' then revoke_live(key, now, REUSED) end
  return { 'theft', 0 }
end
if of_child and branch == r.branch and not r.used then
  r.used = true
  redis.call('HSET', key, session, pack_record(r))
  return { 'confirmed', 0 }
end
return { 'unchanged', 0 }
