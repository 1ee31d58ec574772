-- The packed record (see packed.rs) as a Lua table, and back.
local LIVE = 0
local REUSED = 3
local LAYOUT = '>BBBI4c16I4I6I6I6I6I6'
local HEAD = 57
-- The last instant and the last number that fit.
local LAST_INSTANT = 281474976710655
local LAST_NUMBER = 4294967295

local function unpack_record(bytes)
  if #bytes < HEAD or string.byte(bytes, 1) ~= 1 then
    error({ err = 'REGRANT a stored session record is damaged' })
  end
  local r = {}
  local flags
  r.version, r.state, flags, r.gen, r.id, r.branch, r.minted, r.promoted, r.created, r.expires, r.idle =
    struct.unpack(LAYOUT, bytes)
  r.child = flags % 2 == 1
  r.used = flags >= 2
  r.device = string.sub(bytes, HEAD + 1)
  return r
end

local function pack_record(r)
  local flags = (r.child and 1 or 0) + (r.used and 2 or 0)
  return struct.pack(LAYOUT, 1, r.state, flags, r.gen, r.id, r.branch, r.minted, r.promoted,
    r.created, r.expires, r.idle) .. r.device
end
