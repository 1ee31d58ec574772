-- KEYS[1] the hash of the user
-- ARGV: now or ''
-- Returns { session, record, label } for each session.
local found = {}
local now = current_time(ARGV[1])
each_session(KEYS[1], now, function(session, record, label)
  if now < record.expires then found[#found + 1] = { session, pack_record(record), label } end
end)
return found
