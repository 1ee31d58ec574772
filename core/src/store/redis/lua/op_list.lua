-- KEYS[1] the user's hash
-- ARGV: now or ''
-- Answers { session, record, label } of each.
local found = {}
each_session(KEYS[1], instant(ARGV[1]), function(session, record, label)
  found[#found + 1] = { session, pack_record(record), label }
end)
return found
