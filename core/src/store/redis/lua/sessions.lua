-- All sessions of one user.

-- Calls visit(session id, record) for each session that has not expired; drops the others.
local function each_session(key, now, visit)
  local fields = redis.call('HGETALL', key)
  for i = 1, #fields, 2 do
    local record = unpack_record(fields[i + 1])
    if now >= record.expires then
      redis.call('HDEL', key, fields[i])
    else
      visit(fields[i], record)
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
      record.state = reason
      redis.call('HSET', key, session, pack_record(record))
      revoked[#revoked + 1] = session
    else
      already_revoked[#already_revoked + 1] = session
    end
  end)
  return { revoked, already_revoked }
end
