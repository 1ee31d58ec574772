-- Encoded records (see session/record.rs) as Lua tables, and back.

-- The confirmation time of a record that does not state it.
local function usual_promotion(r)
  if r.gen == 0 then return r.created end
  return r.child and r.minted
end

local function unpack_record(bytes)
  if string.byte(bytes, 1) ~= VERSION then
    error({ err = 'REGRANT a stored session record is damaged' })
  end
  local r = { branch = 0, minted = 0 }
  local version, flags, at
  version, r.state, flags, r.gen, r.id, r.created, r.expires, r.idle, at =
    struct.unpack(HEAD_FORMAT, bytes)
  local function is(flag) return bit.band(flags, flag) ~= 0 end
  r.child, r.used, r.adopted = is(HAS_CHILD), is(CHILD_USED), is(ADOPTED)
  if r.child then r.minted, at = struct.unpack(INSTANT_FORMAT, bytes, at) end
  if is(BRANCHED) then r.branch, at = struct.unpack(BRANCH_FORMAT, bytes, at) end
  r.promoted = is(PROMOTED) and struct.unpack(INSTANT_FORMAT, bytes, at) or usual_promotion(r)
  return r
end

local function pack_record(r)
  local flags, rest = r.adopted and ADOPTED or 0, ''
  if r.child then
    flags = flags + HAS_CHILD + (r.used and CHILD_USED or 0)
    rest = struct.pack(INSTANT_FORMAT, r.minted)
    if r.branch ~= 0 then
      flags, rest = flags + BRANCHED, rest .. struct.pack(BRANCH_FORMAT, r.branch)
    end
  end
  if r.promoted ~= usual_promotion(r) then
    flags, rest = flags + PROMOTED, rest .. struct.pack(INSTANT_FORMAT, r.promoted)
  end
  return struct.pack(
    HEAD_FORMAT, VERSION, r.state, flags, r.gen, r.id, r.created, r.expires, r.idle
  ) .. rest
end

-- Revokes the session. If it had idled out, it keeps its idle deadline as its end.
local function revoke_record(r, reason, now)
  r.state, r.idle = reason, math.min(r.idle, now)
end
