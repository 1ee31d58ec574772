-- Who gives way to a login, and what is forgotten for it: store/room.rs, line for line.
local DISPLACED = 5

-- By their bytes, as Rust compares; Lua's own `<` goes by the locale.
local function is_less(a, b)
  for i = 1, #a do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return false
end

-- Sorts by an instant of each record, then by when it was created, then by id.
local function sort_by(all, instant_of)
  table.sort(all, function(a, b)
    local x, y = instant_of(a.record), instant_of(b.record)
    if x ~= y then return x < y end
    if a.record.created ~= b.record.created then return a.record.created < b.record.created end
    return is_less(a.session, b.session)
  end)
end

local function last_refreshed(r)
  return r.child and math.max(r.minted, r.promoted) or r.promoted
end

local function ended(r) return r.idle end

-- Makes room for one more among `others`, where `most` may be live. Gives the ids of those that
-- give way.
local function make_room(key, others, most, now)
  local live, over = {}, {}
  for _, it in ipairs(others) do
    local is_live = it.record.state == LIVE and now < it.record.idle
    table.insert(is_live and live or over, it)
  end
  local displaced = {}
  sort_by(live, last_refreshed)
  for i = 1, #live + 1 - most do
    local it = live[i]
    end_record(it.record, DISPLACED, now)
    redis.call('HSET', key, it.session, pack_record(it.record))
    displaced[i] = it.session
    over[#over + 1] = it
  end
  local forgettable = {}
  for _, it in ipairs(over) do
    if not it.record.adopted then forgettable[#forgettable + 1] = it end
  end
  sort_by(forgettable, ended)
  for i = 1, #forgettable - most do forget(key, forgettable[i].session) end
  return displaced
end

-- Those that gave way to a session that began at `created`.
local function displaced_at(all, created)
  local found = {}
  for _, it in ipairs(all) do
    if it.record.state == DISPLACED and it.record.idle == created then
      found[#found + 1] = it.session
    end
  end
  return found
end
