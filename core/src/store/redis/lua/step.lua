-- The session state machine: session/step.rs, line for line. A differential test compares the two.
-- `p` is the presented token, `r` the record.

-- The next instant, as far as a record can hold it.
local function after(instant)
  return math.min(instant + 1, LAST_INSTANT)
end

local function mint_child(r, branch, minted, now, policy)
  r.child, r.branch, r.minted, r.used = true, branch, minted, false
  r.idle = math.min(now + policy.idle_ttl, r.expires)
end

local function theft(r, kind, now)
  revoke_record(r, REUSED, now)
  return { decision = THEFT, detail = kind, write = true }
end

local function rotate(r, at, branch, now, policy)
  if not policy.rotate then return { decision = RENEW } end
  mint_child(r, branch, at, now, policy)
  return { decision = ROTATE, write = true }
end

local function confirmed_again(r, p, now, policy)
  if p.id ~= r.id then return theft(r, FORK, now) end
  if not r.child then return rotate(r, math.max(now, after(p.iat)), 0, now, policy) end
  if now <= r.minted + policy.grace then
    return { decision = policy.rotate and REPLAY or RENEW }
  end
  if r.used then return theft(r, PARENT_RETURNED, now) end
  local discarded, issued_until = r.branch, r.minted + policy.grace
  local answer =
    rotate(r, math.max(now, after(r.minted)), math.min(r.branch + 1, LAST_BRANCH), now, policy)
  if policy.rotate then answer.discarded, answer.issued_until = discarded, issued_until end
  return answer
end

local function newer(r, p, now, policy)
  if r.child then
    if p.gen == r.gen + 1 and p.branch < r.branch then return theft(r, ABANDONED_BRANCH, now) end
    if r.minted > p.iat + policy.grace then return theft(r, OLDER_TOKEN, now) end
  end
  if p.gen == r.gen + 1 and p.parent ~= r.id then return theft(r, FORK, now) end
  r.gen, r.id, r.promoted = p.gen, p.id, now
  r.child, r.branch, r.minted, r.used = false, 0, 0, false
  local answer = rotate(r, math.max(now, after(p.iat)), 0, now, policy)
  answer.write = true
  return answer
end

local function older(r, p, now, policy)
  if p.gen + 1 == r.gen and now <= r.promoted + policy.grace then
    return { decision = SUPERSEDED }
  end
  return theft(r, OLDER_TOKEN, now)
end

local function step(r, p, now, policy)
  if now >= p.exp or now >= r.expires then return { decision = EXPIRED } end
  if r.state ~= LIVE then return { decision = REVOKED, detail = r.state } end
  if p.gen == r.gen then return confirmed_again(r, p, now, policy) end
  if p.gen > r.gen then return newer(r, p, now, policy) end
  return older(r, p, now, policy)
end
