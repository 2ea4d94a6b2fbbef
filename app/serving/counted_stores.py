"""The counters of the rate limits in Valkey or Redis: one round trip counts a call and tells what is left.

A call of the API is counted against several limits at once; for each other question the library asks for one counter.
"""

import os
import threading
import time
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, NamedTuple

import redis.commands.core
from limits import RateLimitItemPerMinute
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

PREFIX = "sentinel"
# The same counter is asked for again and again: so many commands are kept as they are sent.
MOST_PACKED = 2_000
# A window begins with its first count. Of several limits those after one that is passed are not counted.
_COUNT = """
local told = {}
for i, key in ipairs(KEYS) do
    local count, window = redis.call('INCRBY', key, ARGV[3 * i - 2]), ARGV[3 * i - 1] * 1000
    local left = redis.call('PTTL', key)
    if left < 0 then
        redis.call('PEXPIRE', key, window)
        left = window
    end
    told[2 * i - 1], told[2 * i] = count, left
    if count > tonumber(ARGV[3 * i]) then break end
end
return told
"""
BOUNDLESS = 2**53
WINDOW = 60


class Allowance(NamedTuple):
    """At most so many calls a minute, by a policy, for somebody."""

    policy: str
    most: int
    whom: str


class _Counted(NamedTuple):
    """A counter to raise by `amount`: `most` is what it may come to, `seconds` how long it lasts."""

    key: str
    amount: int
    seconds: int
    most: int


class _Command(NamedTuple):
    """The script's call as it is sent, and what is in it."""

    packed: Any
    given: tuple[str | int, ...]


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
        self._packed_all = lru_cache(maxsize=MOST_PACKED)(self._pack_all)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and remember what the counter and its end were for the rest of this request."""
        command = self._packed(_Counted(self.prefixed_key(key), amount, expiry, BOUNDLESS))
        count, left = self._answered(command)
        seen = _seen.get()
        if seen is None:
            seen = {}
            _seen.set(seen)
        seen[key] = (int(count), time.time() + int(left) / 1000)
        return int(count)

    def count_all(self, allowances: tuple[Allowance, ...]) -> list[tuple[int, float]]:
        """Count one call against each; return how many there were in this minute, and how many seconds are left of it.

        It ends with the first that is passed. The counters are those that the library asks for by itself.
        """
        told = self._answered(self._packed_all(allowances))
        return [(told[place], told[place + 1] / 1000) for place in range(0, len(told), 2)]

    def _answered(self, command: _Command) -> Any:
        """Run the script on this thread's connection; on another one where it proves to be older than its server."""
        connection, known = self._connection(), self.dependency.exceptions
        try:
            return self._told(connection, command)
        except (known.ConnectionError, known.TimeoutError):
            connection.disconnect()
            return self._told(connection, command)

    def _told(self, connection: Any, command: _Command) -> Any:
        try:
            connection.send_packed_command(command.packed, check_health=False)
            return connection.read_response()
        except self.dependency.exceptions.NoScriptError:  # the server was started again since
            connection.send_command("EVAL", _COUNT, *command.given, check_health=False)
            return connection.read_response()

    def _pack(self, *counters: _Counted) -> _Command:
        keys, numbers = (
            [each.key for each in counters],
            [n for each in counters for n in (each.amount, each.seconds, each.most)],
        )
        given: tuple[str | int, ...] = (len(keys), *keys, *numbers)
        return _Command(self._connection().pack_command("EVALSHA", self.lua_count.sha, *given), given)

    def _pack_all(self, allowances: tuple[Allowance, ...]) -> _Command:
        items = [(RateLimitItemPerMinute(each.most), each) for each in allowances]
        return self._pack(
            *(
                _Counted(self.prefixed_key(item.key_for(PREFIX, each.whom, each.policy)), 1, WINDOW, each.most)
                for item, each in items
            )
        )

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
