-- The session limit: make_room and evicted_at of store/operations.rs, line for line.

-- Compares bytes, as Rust does; Lua's `<` on strings depends on the locale.
local function is_less(a, b)
  for i = 1, #a do
    local x, y = string.byte(a, i), string.byte(b, i)
    if x ~= y then return x < y end
  end
  return false
end

-- Sorts by an instant of each record, then by creation time, then by id.
local function sort_by(all, instant_of)
  table.sort(all, function(a, b)
    local x, y = instant_of(a.record), instant_of(b.record)
    if x ~= y then return x < y end
    if a.record.created_at ~= b.record.created_at then return a.record.created_at < b.record.created_at end
    return is_less(a.session, b.session)
  end)
end

local function last_refreshed(r)
  return r.child and r.issued_at or r.confirmed_at
end

local function idle_deadline(r) return r.idle_deadline end

-- Makes room for one more session of which `max` may be live: revokes the least recently refreshed
-- ones and returns their ids. Of the sessions that are over, expired or not, the latest `max` are kept:
-- a clock that is ahead deletes none of the others.
local function make_room(key, sessions, max, now)
  local live, over = {}, {}
  for _, it in ipairs(sessions) do
    local r = it.record
    local is_live = r.state == LIVE and now < r.idle_deadline and now < r.expires_at
    table.insert(is_live and live or over, it)
  end
  local evicted = {}
  sort_by(live, last_refreshed)
  for i = 1, #live + 1 - max do
    local it = live[i]
    revoke_record(it.record, EVICTED, now)
    redis.call('HSET', key, it.session, pack_record(it.record))
    evicted[i] = it.session
    over[#over + 1] = it
  end
  -- Without the record of a migrated session its legacy token could be migrated once more.
  local prunable = {}
  for _, it in ipairs(over) do
    if not it.record.migrated then prunable[#prunable + 1] = it end
  end
  sort_by(prunable, idle_deadline)
  for i = 1, #prunable - max do delete_session(key, prunable[i].session) end
  return evicted
end

-- The sessions that were evicted by the session created at `created`.
local function evicted_at(all, created, now)
  local evicted = {}
  for _, it in ipairs(all) do
    local r = it.record
    if now < r.expires_at and r.state == EVICTED and r.idle_deadline == created then
      evicted[#evicted + 1] = it.session
    end
  end
  return evicted
end
