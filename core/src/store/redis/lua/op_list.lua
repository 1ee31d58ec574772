-- KEYS[1] the hash of the user
-- ARGV: now or ''
-- Returns { session, record, label } for each session.
local found = {}
each_session(KEYS[1], current_time(ARGV[1]), function(session, record, label)
  found[#found + 1] = { session, pack_record(record), label }
end)
return found
