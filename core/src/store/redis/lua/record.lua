-- The encoded record (`Record::encode` in session/record.rs) as a Lua table, and back.
local LIVE = 0
local REUSED = 3
local HEAD = '>BBBI4c16I6I6I6'
local VERSION, HAS_CHILD, CHILD_USED, BRANCHED, PROMOTED, ADOPTED = 1, 1, 2, 4, 8, 16
-- The last instant and the last number that fit.
local LAST_INSTANT = 281474976710655
local LAST_NUMBER = 4294967295

-- When a token of this generation was confirmed, unless a record says otherwise.
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
    struct.unpack(HEAD, bytes)
  local function is(flag) return bit.band(flags, flag) ~= 0 end
  r.child, r.used, r.adopted = is(HAS_CHILD), is(CHILD_USED), is(ADOPTED)
  if r.child then r.minted, at = struct.unpack('>I6', bytes, at) end
  if is(BRANCHED) then r.branch, at = struct.unpack('>I4', bytes, at) end
  r.promoted = is(PROMOTED) and struct.unpack('>I6', bytes, at) or usual_promotion(r)
  return r
end

local function pack_record(r)
  local flags = r.adopted and ADOPTED or 0
  local rest = ''
  if r.child then
    flags, rest = flags + HAS_CHILD + (r.used and CHILD_USED or 0), struct.pack('>I6', r.minted)
    if r.branch ~= 0 then flags, rest = flags + BRANCHED, rest .. struct.pack('>I4', r.branch) end
  end
  if r.promoted ~= usual_promotion(r) then
    flags, rest = flags + PROMOTED, rest .. struct.pack('>I6', r.promoted)
  end
  return struct.pack(HEAD, VERSION, r.state, flags, r.gen, r.id, r.created, r.expires, r.idle)
    .. rest
end

-- This session, ended for this reason now; where it had idled out, it ended then.
local function end_record(r, reason, now)
  r.state, r.idle = reason, math.min(r.idle, now)
end
