"""The counters of the rate limits in Valkey or Redis: one round trip counts a call and tells what is left."""

import os
import threading
import time
from contextvars import ContextVar
from functools import lru_cache
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

# The same counter is asked for again and again: so many commands are kept as they are sent.
MOST_PACKED = 2_000
_COUNT = """
local count = redis.call('INCRBY', KEYS[1], ARGV[2])
local left = redis.call('PTTL', KEYS[1])
if left < 0 then
    redis.call('PEXPIRE', KEYS[1], ARGV[1] * 1000)
    left = ARGV[1] * 1000
end
return {count, left}
"""


class _Line(threading.local):
    """A thread's own connection, on which nobody else speaks: no pool hands it out and looks it over."""

    connection: Any = None
    process: int | None = None


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
        self._line = _Line()
        self._packed = lru_cache(maxsize=MOST_PACKED)(self._pack)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and remember what the counter and its end were for the rest of this request."""
        count, left = self._count(self.prefixed_key(key), expiry, amount)
        seen = _seen.get()
        if seen is None:
            seen = {}
            _seen.set(seen)
        seen[key] = (int(count), time.time() + int(left) / 1000)
        return int(count)

    def _count(self, *given: str | int) -> Any:
        """Run the script on this thread's connection; on another one where it proves to be older than its server."""
        connection, known = self._connection(), self.dependency.exceptions
        try:
            return self._answer(connection, given)
        except (known.ConnectionError, known.TimeoutError):
            connection.disconnect()
            return self._answer(connection, given)

    def _answer(self, connection: Any, given: tuple[str | int, ...]) -> Any:
        try:
            connection.send_packed_command(self._packed(*given), check_health=False)
            return connection.read_response()
        except self.dependency.exceptions.NoScriptError:  # the server was started again since
            connection.send_command("EVAL", _COUNT, 1, *given, check_health=False)
            return connection.read_response()

    def _pack(self, *given: str | int) -> Any:
        return self._connection().pack_command("EVALSHA", self.lua_count.sha, 1, *given)

    def _connection(self) -> Any:
        """Return this thread's connection, made by the first call after a fork; it connects when it is spoken on."""
        line = self._line
        if line.connection is None or line.process != os.getpid():
            pool = self.storage.connection_pool
            line.connection, line.process = pool.connection_class(**pool.connection_kwargs), os.getpid()
        return line.connection

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
