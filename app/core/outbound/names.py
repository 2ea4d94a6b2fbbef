"""Names looked up in DNS, and every address that comes back checked before any of them is used."""

import queue
import socket
import threading
from ipaddress import ip_address

import dns.exception
import dns.message
import dns.name
import dns.nameserver
import dns.rdatatype
import dns.resolver

from app.core.outbound.addresses import endpoint, split_endpoint, why_not_global
from app.core.outbound.locations import plain_host
from app.core.outbound.policies import Deadline, Kind, Policy, Refused, Unreachable

_MOST_ADDRESSES = 64
_MOST_TEXTS = 100


def resolve(host: str, policy: Policy, *, port: int | None = None) -> list[str]:
    """Return every address of `host`, IPv4 first, all of them checked.

    With `port`, the policy's exact exceptions hold. Raises Refused when a single address is not global, Unreachable
    when there is none.
    """
    return resolve_within(plain_host(host), policy, port, Deadline(policy.total_seconds))


def resolve_within(host: str, policy: Policy, port: int | None, deadline: Deadline) -> list[str]:
    """Do what `resolve` does, for a plain host, before a deadline that others share."""
    try:
        found = [str(ip_address(host))]
    except ValueError:
        seconds = deadline.left(policy.connect_seconds)
        asked = _ask_resolvers(host, policy, seconds) if policy.resolvers else _ask_system(host, seconds)
        found = list(dict.fromkeys(asked))
    if not found:
        raise Unreachable(Kind.NO_NAME, f"{host} has no address")
    if len(found) > _MOST_ADDRESSES:
        raise Refused(f"{host} has more than {_MOST_ADDRESSES} addresses")
    for address in found:
        why = why_not_global(address)
        excepted = port is not None and why != "not an address" and endpoint(address, port) in policy.allowed
        if why is not None and not excepted:
            # Not the address itself: a name that only our own resolver knows would tell of our inside.
            raise Refused(f"{host} is not, or leads to what is not, a public address ({why})")
    return found


def resolvers_of(policy: Policy) -> tuple[str, ...]:
    """Return the policy's resolvers, or else the addresses of the system's."""
    if policy.resolvers:
        return policy.resolvers
    try:
        return tuple(str(server) for server in dns.resolver.Resolver().nameservers)
    except dns.exception.DNSException:
        return ()


def ask_txt(name: str, resolver: str, policy: Policy) -> list[bytes]:
    """Return the TXT records at `name` as this one resolver has them, each joined from its strings, 100 at most.

    Raises Unreachable: of kind NO_NAME where there is no such record, TIMEOUT, or DNS for any other failure.
    """
    asked = _resolver((resolver,), Deadline(policy.total_seconds).left(policy.read_seconds))
    answer = _query(asked, name, dns.rdatatype.TXT)
    return [b"".join(record.strings) for record in list(answer)[:_MOST_TEXTS]]


def _resolver(servers: tuple[str, ...], seconds: float) -> dns.resolver.Resolver:
    resolver = dns.resolver.Resolver(configure=False)
    try:
        resolver.nameservers = [dns.nameserver.Do53Nameserver(*split_endpoint(server, 53)) for server in servers]
    except ValueError:
        raise Unreachable(Kind.DNS, "A resolver's address is not readable") from None
    resolver.lifetime = seconds
    resolver.timeout = max(0.1, min(2.0, seconds / (2 * len(servers))))
    resolver.cache = None
    return resolver


def _query(resolver: dns.resolver.Resolver, name: str, kind: dns.rdatatype.RdataType) -> dns.resolver.Answer:
    try:
        return resolver.resolve(dns.name.from_text(name, origin=dns.name.root), kind, search=False)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        raise Unreachable(Kind.NO_NAME, f"DNS has no such record for {name}") from None
    except dns.exception.Timeout:
        raise Unreachable(Kind.TIMEOUT, f"DNS did not answer for {name}") from None
    except (dns.exception.DNSException, OSError, ValueError):
        raise Unreachable(Kind.DNS, f"DNS refused or failed to answer for {name}") from None


def _ask_resolvers(host: str, policy: Policy, seconds: float) -> list[str]:
    """Ask for A, then for AAAA. One kind that fails is passed over where the other gives addresses: we pin to those."""
    found: list[str] = []
    failures: list[Unreachable] = []
    deadline = Deadline(seconds)
    for kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
        try:
            share = seconds / 2 if kind == dns.rdatatype.A else seconds
            answer = _query(_resolver(policy.resolvers, deadline.left(share)), host, kind)
            found += [record.address for record in answer]
        except Unreachable as failure:
            failures.append(failure)
    if not found and failures:
        raise next((failure for failure in failures if failure.kind is not Kind.NO_NAME), failures[0])
    return found


def _ask_system(host: str, seconds: float) -> list[str]:
    """Ask the C library, in a thread of its own: it knows no time limit."""
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put(sorted((str(row[4][0]) for row in rows), key=lambda address: ":" in address))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise Unreachable(Kind.TIMEOUT, f"DNS did not answer for {host}") from None
    if isinstance(answer, OSError):
        missing = answer.errno in {socket.EAI_NONAME, socket.EAI_NODATA}
        raise Unreachable(Kind.NO_NAME if missing else Kind.DNS, f"{host} could not be looked up") from None
    return answer
