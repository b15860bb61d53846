"""Rate-limit counters in Redis: one hash a counter, one script a take.

A take is one round trip. It costs this process about twice what a PING does and the server
about four times (`infra/benchmarks/limits.py`), some 100 and 40 microseconds on a small machine.
"""

from typing import Any

from redis.asyncio import Redis

from domain.governance.window import PARTS, judge, period_ms
from domain.ports.limits import Limit, Taken

# A field is a part of the period, its value what was taken in it. The time is the server's, so
# that nodes with wrong clocks agree. Answers with that time and with what counted before, each
# part with its amount; when the take is allowed all of it as of the present part, because then
# nobody needs to know how old the rest is.
TAKE = f"""
local period, count, cost = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local part = math.floor(now * {PARTS} / period)
local window = redis.call('HGETALL', KEYS[1])
local used, counted = 0, {{now}}
for i = 1, #window, 2 do
  if tonumber(window[i]) < part - {PARTS} then
    redis.call('HDEL', KEYS[1], window[i])
  else
    used = used + tonumber(window[i + 1])
    counted[#counted + 1] = tonumber(window[i])
    counted[#counted + 1] = tonumber(window[i + 1])
  end
end
if cost > 0 and used + cost <= count then
  redis.call('HINCRBY', KEYS[1], string.format('%.0f', part), cost)
  redis.call('PEXPIRE', KEYS[1], math.ceil(period * {PARTS + 2} / {PARTS}))
  return {{now, part, used}}
end
return counted
"""
GIVE_BACK = """
local taken = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or 0)
local back = math.min(taken, tonumber(ARGV[2]))
if back > 0 then
  redis.call('HINCRBY', KEYS[1], ARGV[1], -back)
end
return back
"""


class RedisLimits:
    """`Limits` over all nodes; raises what the client raises when Redis does not answer.

    When Redis loses its data, what was taken is forgotten.
    """

    def __init__(self, client: Redis, prefix: str) -> None:
        self._prefix = prefix
        self._take = client.register_script(TAKE)
        self._give_back = client.register_script(GIVE_BACK)

    async def take(self, key: str, limit: Limit, cost: int = 1) -> Taken:
        arguments = (period_ms(limit), limit.count, cost)
        answer: Any = await self._take([self._name(key, limit)], arguments)
        now_ms, *counted = answer
        return judge(limit, cost, dict(zip(counted[::2], counted[1::2], strict=True)), now_ms)

    async def give_back(self, key: str, limit: Limit, taken: Taken, cost: int = 1) -> None:
        if taken.allowed and cost > 0:
            await self._give_back([self._name(key, limit)], (taken.part, cost))

    def _name(self, key: str, limit: Limit) -> str:
        return f"{self._prefix}:limit:{period_ms(limit)}:{key}"
