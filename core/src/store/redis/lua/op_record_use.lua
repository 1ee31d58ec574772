-- session/token_use.rs, line for line.
-- KEYS[1] the hash of the user
-- ARGV: now or '', session, gen, branch, denied 0|1, revoke all of the user's sessions on reuse 0|1
local key, session = KEYS[1], ARGV[2]
local stored = redis.call('HGET', key, session)
if not stored then return false end
local now = current_time(ARGV[1])
local r = unpack_record(stored)
if now >= r.expires_at then return false end
if r.state ~= LIVE then return { REVOKED, r.state } end
local gen, branch = tonumber(ARGV[3]), tonumber(ARGV[4])
local of_child = r.child and gen == r.gen + 1
if ARGV[5] == '1' or (of_child and branch < r.branch) then
  revoke_record(r, REUSED, now)
  redis.call('HSET', key, session, pack_record(r))
  if ARGV[6] == '1' then revoke_live(key, now, REUSED) end
  return { REUSE, 0 }
end
if of_child and branch == r.branch and not r.used then
  r.used, r.confirmed_at = true, math.max(r.confirmed_at, now)
  redis.call('HSET', key, session, pack_record(r))
  return { CHILD_IN_USE, 0 }
end
return { UNCHANGED, 0 }
