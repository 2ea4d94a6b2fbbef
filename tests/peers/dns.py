"""A small DNS server on loopback that answers from a script, and may answer the same question differently each time."""

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

import dns.flags
import dns.message
import dns.rcode
import dns.rdatatype
import dns.rrset

SILENT = "silent"
REFUSED = "refused"
FAILED = "failed"
_CODES = {REFUSED: dns.rcode.REFUSED, FAILED: dns.rcode.SERVFAIL}

Answer = list[str] | str


class DnsPeer:
    """Answers `script[name, type]`: a list of answers, taken in turn, the last one again and again.

    An answer is a list of record texts (empty: the name exists, without such a record), or SILENT, REFUSED or FAILED.
    A name that the script does not hold does not exist. `address` is written as a resolver is: `address:port`.
    """

    def __init__(self, script: dict[tuple[str, str], list[Answer]]) -> None:
        self.script = script
        self.asked: Counter[tuple[str, str]] = Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        host, port = self._socket.getsockname()
        self.address = f"{host}:{port}"
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop answering."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
            last.sendto(b"", self._socket.getsockname())
        self._thread.join(5)
        self._socket.close()

    def _serve(self) -> None:
        while True:
            data, client = self._socket.recvfrom(4096)
            if not data:
                return
            reply = self._answer(dns.message.from_wire(data))
            if reply is not None:
                self._socket.sendto(reply.to_wire(), client)

    def _answer(self, query: dns.message.Message) -> dns.message.Message | None:
        question = query.question[0]
        name = question.name.to_text(omit_final_dot=True)
        kind = dns.rdatatype.to_text(question.rdtype)
        turn = self.asked[name, kind]
        self.asked[name, kind] += 1
        reply = dns.message.make_response(query)
        reply.flags |= dns.flags.RA
        answers = self.script.get((name, kind))
        if answers is None:
            if not any(known == name for known, _ in self.script):
                reply.set_rcode(dns.rcode.NXDOMAIN)
            return reply
        answer = answers[min(turn, len(answers) - 1)]
        if answer == SILENT:
            return None
        if isinstance(answer, str):
            reply.set_rcode(_CODES[answer])
        elif answer:
            reply.answer.append(dns.rrset.from_text_list(question.name, 0, "IN", kind, answer))
        return reply


@contextmanager
def dns_peer(script: dict[tuple[str, str], list[Answer]]) -> Iterator[DnsPeer]:
    """Run a DnsPeer for the length of a block."""
    peer = DnsPeer(script)
    try:
        yield peer
    finally:
        peer.close()
