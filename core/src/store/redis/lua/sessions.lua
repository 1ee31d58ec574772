-- The hash of a user. Each session has a field with its record, named by the 16 bytes of its id,
-- and, if its device has a label, a field with the label, named by the last 8 of these bytes. Its notes
-- (session/notes.rs) are in fields named by these 8 bytes and a letter. Other letters are those of a
-- later version: such fields stay as they are, until the key expires.
local UPDATED_CLAIMS, CREATED_FROM, REFRESHED_FROM = 'c', 'l', 'r'
-- The client of the latest refresh where it is that of the login: most are, and it is long.
local SAME = '='

local function label_field(session)
  return string.sub(session, SESSION_ID_BYTES / 2 + 1)
end

local function note_field(session, note)
  return label_field(session) .. note
end

-- What is stored beside the record.
local function delete_texts(key, session)
  redis.call('HDEL', key, label_field(session), note_field(session, UPDATED_CLAIMS),
    note_field(session, CREATED_FROM), note_field(session, REFRESHED_FROM))
end

local function delete_session(key, session)
  redis.call('HDEL', key, session)
  delete_texts(key, session)
end

-- Calls visit(session, record, texts) for each session, expired or not, and deletes those that expired
-- long ago. The texts are the label, the updated claims, and the clients of login and refresh.
local function each_session(key, now, visit)
  local fields = redis.call('HGETALL', key)
  local texts = {}
  for i = 1, #fields, 2 do
    if #fields[i] ~= SESSION_ID_BYTES then texts[fields[i]] = fields[i + 1] end
  end
  for i = 1, #fields, 2 do
    local session = fields[i]
    if #session == SESSION_ID_BYTES then
      local record = unpack_record(fields[i + 1])
      if now >= record.expires_at + RETENTION then
        delete_session(key, session)
      else
        visit(session, record, {
          texts[label_field(session)] or '', texts[note_field(session, UPDATED_CLAIMS)] or '',
          texts[note_field(session, CREATED_FROM)] or '', texts[note_field(session, REFRESHED_FROM)] or '',
        })
      end
    end
  end
end

-- Revokes the live sessions that matches(session, record) selects, by default all; expired ones too,
-- because the clock may be ahead. Returns the ids of the selected unexpired sessions that were live, of
-- those that were over (revoked before, or idle), and when these had ended.
local function revoke_live(key, now, reason, matches)
  local revoked, already_revoked, ended = {}, {}, {}
  each_session(key, now, function(session, record)
    if matches and not matches(session, record) then return end
    local was_live, ended_at = record.state == LIVE and now < record.idle_deadline, record.idle_deadline
    if record.state == LIVE then
      revoke_record(record, reason, now)
      redis.call('HSET', key, session, pack_record(record))
    end
    if now >= record.expires_at then return end
    if was_live then
      revoked[#revoked + 1] = session
    else
      already_revoked[#already_revoked + 1] = session
      ended[#ended + 1] = ended_at
    end
  end)
  return { revoked, already_revoked, ended }
end
