-- KEYS[1] the hash of the user
-- ARGV: now or '', reason, session to leave out or '', only sessions created before this or ''
-- Returns the sessions that were live, those that were over, and when these had ended.
local except, created_before = ARGV[3], tonumber(ARGV[4])
return revoke_live(KEYS[1], current_time(ARGV[1]), tonumber(ARGV[2]), function(session, record)
  return session ~= except and (not created_before or record.created_at < created_before)
end)
