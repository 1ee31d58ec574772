-- The present time in ms since 1970: the server's clock, unless a test passes in another one.
local function current_time(given)
  if given ~= '' then return tonumber(given) end
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
end
