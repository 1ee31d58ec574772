-- The hash of a user. Each session has a field with its record, named by the 16 bytes of its id,
-- and, if its device has a label, a field with the label, named by the last 8 of these bytes.
local function label_field(session)
  return string.sub(session, SESSION_ID_BYTES / 2 + 1)
end

local function delete_session(key, session)
  redis.call('HDEL', key, session, label_field(session))
end

-- Calls visit(session, record, label) for each unexpired session and deletes the expired ones.
local function each_session(key, now, visit)
  local fields = redis.call('HGETALL', key)
  local labels = {}
  for i = 1, #fields, 2 do
    if #fields[i] ~= SESSION_ID_BYTES then labels[fields[i]] = fields[i + 1] end
  end
  for i = 1, #fields, 2 do
    local session = fields[i]
    if #session == SESSION_ID_BYTES then
      local record = unpack_record(fields[i + 1])
      if now >= record.expires then
        delete_session(key, session)
      else
        visit(session, record, labels[label_field(session)] or '')
      end
    end
  end
end

-- Revokes the live sessions that matches(session, record) selects, by default all. Returns the ids
-- of the selected sessions that were live, and of those that were over: revoked before, or idle.
local function revoke_live(key, now, reason, matches)
  local revoked, already_revoked = {}, {}
  each_session(key, now, function(session, record)
    if matches and not matches(session, record) then return end
    local is_live = record.state == LIVE and now < record.idle
    local list = is_live and revoked or already_revoked
    list[#list + 1] = session
    if record.state == LIVE then
      revoke_record(record, reason, now)
      redis.call('HSET', key, session, pack_record(record))
    end
  end)
  return { revoked, already_revoked }
end
