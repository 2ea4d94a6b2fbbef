"""The counters of the rate limits in Valkey or Redis: one round trip counts a call and tells what is left."""

import time
from contextvars import ContextVar
from typing import Any

import redis.commands.core
from limits.storage import RedisStorage
from redis.backoff import NoBackoff
from redis.retry import Retry

# What a count costs a request at most where the store does not answer.
SECONDS = 0.25
# One more try: a connection of the pool may be older than the server that it led to.
OPTIONS: dict[str, Any] = {
    "socket_connect_timeout": SECONDS,
    "socket_timeout": SECONDS,
    "retry": Retry(NoBackoff(), 1),
    "health_check_interval": 0,
}

_COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1] * 1000)
    left = ARGV[1] * 1000
end
return {count, left}
"""
_seen: ContextVar[dict[str, tuple[int, float]] | None] = ContextVar("sentinel_counted", default=None)


class CountedRedis(RedisStorage):
    """The library's storage, which asks three times where this asks once; it serves the same schemes, in its place.

    A counter and its end are set by one script, so that no counter is left without an end.
    """

    STORAGE_SCHEME = RedisStorage.STORAGE_SCHEME

    lua_count: redis.commands.core.Script

    def initialize_storage(self, uri: str) -> None:
        """Register the scripts; connects to nothing."""
        super().initialize_storage(uri)
        self.lua_count = self.get_connection().register_script(_COUNT.encode())

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and remember what the counter and its end were for the rest of this request."""
        count, left = self.lua_count([self.prefixed_key(key)], [expiry, amount])
        seen = _seen.get()
        if seen is None:
            seen = {}
            _seen.set(seen)
        seen[key] = (int(count), time.time() + int(left) / 1000)
        return int(count)

    def get(self, key: str) -> int:
        """Return the counter as this request saw it, else as it is."""
        seen = (_seen.get() or {}).get(key)
        return super().get(key) if seen is None else seen[0]

    def get_expiry(self, key: str) -> float:
        """Return the end of the window as this request saw it, else as it is."""
        seen = (_seen.get() or {}).get(key)
        return super().get_expiry(key) if seen is None else seen[1]


def forget_counts() -> None:
    """Begin a request that has seen no counter."""
    _seen.set(None)
