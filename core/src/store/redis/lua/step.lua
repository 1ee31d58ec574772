-- The session state machine: session/step.rs, line for line. A differential test compares the two.
-- `p` is the presented token, `r` the record.

-- The next instant, as far as a record can hold it.
local function after(instant)
  return math.min(instant + 1, LAST_INSTANT)
end

-- When the token expires.
local function deadline(r, p)
  local is_confirmed = p.gen == r.gen and p.id == r.id
  local is_legacy = r.migrated and r.gen == 0
  if r.state == LIVE and is_confirmed and not is_legacy then return r.idle_deadline end
  return p.exp
end

-- The expiry of the child, the same whenever the child is issued.
local function child_expires(r, policy)
  return math.min(r.issued_at + policy.idle_ttl, r.expires_at)
end

local function reuse(r, kind, now)
  revoke_record(r, REUSED, now)
  return { decision = REUSE, detail = kind, write = true }
end

-- Issues a child at the instant `at`; none with rotation off, if the session has never rotated.
local function rotate_or_renew(r, at, branch, policy)
  r.idle_deadline = math.min(math.max(at + policy.idle_ttl, r.idle_deadline), r.expires_at)
  if not (policy.rotate or r.gen > 0 or r.child) then
    return { decision = RENEW, write = true, expires_at = r.idle_deadline }
  end
  r.child, r.branch, r.issued_at, r.used = true, branch, at, false
  return { decision = ROTATE, write = true, expires_at = child_expires(r, policy) }
end

local function same_generation(r, p, now, policy)
  if p.id ~= r.id then return reuse(r, FORK, now) end
  if not r.child then return rotate_or_renew(r, math.max(now, after(p.iat)), 0, policy) end
  local first_use = math.max(r.issued_at, r.confirmed_at)
  if r.used and now > first_use + policy.grace then return reuse(r, PARENT_RETURNED, now) end
  local replayed_until = r.issued_at + policy.unused_grace
  if now <= replayed_until then
    local is_late = not r.used and now > replayed_until - policy.grace
    if is_late then r.confirmed_at = math.max(r.confirmed_at, now) end
    return { decision = REPLAY, expires_at = child_expires(r, policy), write = is_late }
  end
  local answered_at = math.min(r.confirmed_at, replayed_until)
  if r.used or now <= answered_at + policy.grace then return { decision = SUPERSEDED } end
  local discarded = r.branch
  local answer =
    rotate_or_renew(r, math.max(now, after(r.issued_at)), math.min(r.branch + 1, LAST_BRANCH), policy)
  answer.discarded, answer.issued_until = discarded, replayed_until
  return answer
end

local function later_generation(r, p, now, policy)
  if r.child then
    if p.gen == r.gen + 1 and p.branch < r.branch then return reuse(r, DISCARDED_BRANCH, now) end
    if r.issued_at > p.iat + policy.unused_grace then return reuse(r, OLDER_TOKEN, now) end
  end
  if p.gen == r.gen + 1 and p.parent ~= r.id then return reuse(r, FORK, now) end
  r.gen, r.id, r.confirmed_at = p.gen, p.id, now
  r.child, r.branch, r.issued_at, r.used = false, 0, 0, false
  return rotate_or_renew(r, math.max(now, after(p.iat)), 0, policy)
end

local function earlier_generation(r, p, now, policy)
  if p.gen + 1 == r.gen and now <= r.confirmed_at + policy.grace then
    return { decision = SUPERSEDED }
  end
  return reuse(r, OLDER_TOKEN, now)
end

local function step(r, p, now, policy)
  if now >= deadline(r, p) or now >= r.expires_at then return { decision = EXPIRED } end
  if r.state ~= LIVE then return { decision = REVOKED, detail = r.state } end
  if p.gen == r.gen then return same_generation(r, p, now, policy) end
  if p.gen > r.gen then return later_generation(r, p, now, policy) end
  return earlier_generation(r, p, now, policy)
end
