-- KEYS[1] the hash of the user
-- ARGV: now or ''
-- Returns { session, record, texts } for each session.
local found = {}
local now = current_time(ARGV[1])
each_session(KEYS[1], now, function(session, record, texts)
  if now < record.expires_at then found[#found + 1] = { session, pack_record(record), texts } end
end)
return found
