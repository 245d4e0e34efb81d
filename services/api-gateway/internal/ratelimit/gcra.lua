-- Generic cell rate algorithm (ITU-T I.371): one key holds the "theoretical arrival time" of a client, in microseconds of Redis's
-- own clock, so that all gateways agree. A request is let in when that time lies at most `burst` intervals ahead.
-- KEYS[1] the client; ARGV[1] requests a second; ARGV[2] burst.
-- Returns allowed (0/1), requests left, microseconds until one more is let in (0 if allowed), microseconds until the burst is whole.
local clock = redis.call('TIME')
local now = tonumber(clock[1]) * 1000000 + tonumber(clock[2])
local interval = 1000000 / tonumber(ARGV[1])
local burst = interval * tonumber(ARGV[2])

local arrival = math.max(tonumber(redis.call('GET', KEYS[1]) or now), now)
local next_arrival = arrival + interval
if next_arrival - now > burst + 0.5 then
  return {0, 0, math.ceil(next_arrival - now - burst), math.ceil(arrival - now)}
end

redis.call('SET', KEYS[1], string.format('%.3f', next_arrival), 'PX', math.ceil((next_arrival - now) / 1000))
return {1, math.floor((burst - (next_arrival - now)) / interval + 0.001), 0, math.ceil(next_arrival - now)}
