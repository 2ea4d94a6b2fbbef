"""Waking the relays after a commit: one coalesced NOTIFY on a connection of its own."""

import threading

import psycopg
import structlog

from app.db.urls import libpq_url

CHANNEL = "sentinel_outbox"
log = structlog.get_logger(__name__)


class Waker:
    """Sends NOTIFY from a thread that starts with the first call (so after a fork); a lost one costs a poll."""

    def __init__(self, url: str) -> None:
        self._url = libpq_url(url)
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._connection: psycopg.Connection | None = None

    def wake(self) -> None:
        """Have the relays look soon; returns at once."""
        self._event.set()
        if self._thread is None or not self._thread.is_alive():
            with self._lock:
                if self._thread is None or not self._thread.is_alive():
                    self._thread = threading.Thread(target=self._run, name="outbox-waker", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        while True:
            self._event.wait()
            self._event.clear()
            try:
                if self._connection is None or self._connection.closed:
                    self._connection = psycopg.connect(self._url, autocommit=True, connect_timeout=5)
                self._connection.execute(f"NOTIFY {CHANNEL}".encode())
            except psycopg.Error as error:
                log.warning("outbox.notify_failed", error=type(error).__name__)
                self._connection = None
