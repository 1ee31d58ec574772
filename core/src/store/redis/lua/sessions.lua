-- All sessions of one user: of each a field with its record, named by the 16 bytes of its id, and,
-- where its device has a label, a field with that, named by the last 8 of them.
local ID_BYTES = 16

local function label_field(session)
  return string.sub(session, 9)
end

local function forget(key, session)
  redis.call('HDEL', key, session, label_field(session))
end

-- Calls visit(session, record, label) for each session that has not expired; drops the others.
local function each_session(key, now, visit)
  local fields = redis.call('HGETALL', key)
  local labels = {}
  for i = 1, #fields, 2 do
    if #fields[i] ~= ID_BYTES then labels[fields[i]] = fields[i + 1] end
  end
  for i = 1, #fields, 2 do
    local session = fields[i]
    if #session == ID_BYTES then
      local record = unpack_record(fields[i + 1])
      if now >= record.expires then
        forget(key, session)
      else
        visit(session, record, labels[label_field(session)] or '')
      end
    end
  end
end

-- Ends the live ones of those that `is_meant` says, by default all. Gives the ids of those that
-- were live, and of those that had been ended before.
local function revoke_live(key, now, reason, is_meant)
  local revoked, already_revoked = {}, {}
  each_session(key, now, function(session, record)
    if is_meant and not is_meant(session, record) then return end
    if record.state == LIVE then
      end_record(record, reason, now)
      redis.call('HSET', key, session, pack_record(record))
      revoked[#revoked + 1] = session
    else
      already_revoked[#already_revoked + 1] = session
    end
  end)
  return { revoked, already_revoked }
end
