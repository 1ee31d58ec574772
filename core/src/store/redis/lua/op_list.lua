-- KEYS[1] the user's hash
-- ARGV: now or ''
local found = {}
each_session(KEYS[1], instant(ARGV[1]), function(session, record)
  found[#found + 1] = { session, pack_record(record) }
end)
return found
