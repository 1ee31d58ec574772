-- The session state machine of session/step.rs, line for line. The differential test holds the
-- two to each other. `p` is the presented token, `r` the record.

-- The first instant later than this one that a record can hold.
local function after(instant)
  return math.min(instant + 1, LAST_INSTANT)
end

local function mint_child(r, branch, minted, now, policy)
  r.child, r.branch, r.minted, r.used = true, branch, minted, false
  r.idle = math.min(now + policy.idle_ttl, r.expires)
end

local function theft(r, kind, now)
  end_record(r, REUSED, now)
  return { decision = 'theft', detail = kind, write = true }
end

local function issue(r, at, branch, now, policy)
  if not policy.rotate then return { decision = 'keep' } end
  mint_child(r, branch, at, now, policy)
  return { decision = 'issue', write = true }
end

local function confirmed_again(r, p, now, policy)
  if p.id ~= r.id then return theft(r, 'fork', now) end
  if not r.child then return issue(r, math.max(now, after(p.iat)), 0, now, policy) end
  if now <= r.minted + policy.grace then
    return { decision = policy.rotate and 'reissue' or 'keep' }
  end
  if r.used then return theft(r, 'parent_returned', now) end
  local abandoned, issued_until = r.branch, r.minted + policy.grace
  local answer =
    issue(r, math.max(now, after(r.minted)), math.min(r.branch + 1, LAST_NUMBER), now, policy)
  if policy.rotate then answer.abandoned, answer.issued_until = abandoned, issued_until end
  return answer
end

local function newer(r, p, now, policy)
  if r.child then
    if p.gen == r.gen + 1 and p.branch < r.branch then return theft(r, 'abandoned_branch', now) end
    if r.minted > p.iat + policy.grace then return theft(r, 'older_token', now) end
  end
  if p.gen == r.gen + 1 and p.parent ~= r.id then return theft(r, 'fork', now) end
  r.gen, r.id, r.promoted = p.gen, p.id, now
  r.child, r.branch, r.minted, r.used = false, 0, 0, false
  local answer = issue(r, math.max(now, after(p.iat)), 0, now, policy)
  answer.write = true
  return answer
end

local function older(r, p, now, policy)
  if p.gen + 1 == r.gen and now <= r.promoted + policy.grace then
    return { decision = 'superseded' }
  end
  return theft(r, 'older_token', now)
end

local function step(r, p, now, policy)
  if now >= p.exp or now >= r.expires then return { decision = 'expired' } end
  if r.state ~= LIVE then return { decision = 'revoked', detail = r.state } end
  if p.gen == r.gen then return confirmed_again(r, p, now, policy) end
  if p.gen > r.gen then return newer(r, p, now, policy) end
  return older(r, p, now, policy)
end
