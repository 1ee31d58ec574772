-- KEYS[1] the hash of the user
-- ARGV: now or '', session
-- Returns { record, texts } of the session, unless it has expired.
local key, session = KEYS[1], ARGV[2]
local fields = redis.call('HMGET', key, session, label_field(session),
  note_field(session, UPDATED_CLAIMS), note_field(session, CREATED_FROM),
  note_field(session, REFRESHED_FROM))
local record = fields[1] and unpack_record(fields[1])
if not record or current_time(ARGV[1]) >= record.expires_at then return false end
return { pack_record(record), { fields[2] or '', fields[3] or '', fields[4] or '', fields[5] or '' } }
