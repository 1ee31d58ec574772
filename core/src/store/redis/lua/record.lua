-- Encoded records (see session/record.rs) as Lua tables, and back.

-- The confirmation time of a record that does not state it.
local function usual_confirmed_at(r)
  if r.gen == 0 then return r.created_at end
  return r.child and r.issued_at
end

local function unpack_record(bytes)
  if string.byte(bytes, 1) ~= VERSION then
    error({ err = 'REGRANT a stored session record is damaged' })
  end
  local r = { branch = 0, issued_at = 0 }
  local version, flags, at
  version, r.state, flags, r.gen, r.id, r.created_at, r.expires_at, r.idle_deadline, at =
    struct.unpack(HEAD_FORMAT, bytes)
  local function is(flag) return bit.band(flags, flag) ~= 0 end
  r.child, r.used, r.migrated = is(HAS_CHILD), is(CHILD_USED), is(MIGRATED)
  if r.child then r.issued_at, at = struct.unpack(INSTANT_FORMAT, bytes, at) end
  if is(HAS_BRANCH) then r.branch, at = struct.unpack(BRANCH_FORMAT, bytes, at) end
  r.confirmed_at = is(HAS_CONFIRMED_AT) and struct.unpack(INSTANT_FORMAT, bytes, at) or usual_confirmed_at(r)
  return r
end

local function pack_record(r)
  local flags, rest = r.migrated and MIGRATED or 0, ''
  if r.child then
    flags = flags + HAS_CHILD + (r.used and CHILD_USED or 0)
    rest = struct.pack(INSTANT_FORMAT, r.issued_at)
    if r.branch ~= 0 then
      flags, rest = flags + HAS_BRANCH, rest .. struct.pack(BRANCH_FORMAT, r.branch)
    end
  end
  if r.confirmed_at ~= usual_confirmed_at(r) then
    flags, rest = flags + HAS_CONFIRMED_AT, rest .. struct.pack(INSTANT_FORMAT, r.confirmed_at)
  end
  return struct.pack(
    HEAD_FORMAT, VERSION, r.state, flags, r.gen, r.id, r.created_at, r.expires_at, r.idle_deadline
  ) .. rest
end

-- Revokes the session. If it had idled out, it keeps its idle deadline as its end.
local function revoke_record(r, reason, now)
  r.state, r.idle_deadline = reason, math.min(r.idle_deadline, now)
end
