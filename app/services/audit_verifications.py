"""Checking a sealed export offline: the file, the public key and the heads that one wrote down, and nothing else."""

import hashlib
import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from app.services import merkle
from app.services.signatures import Unreadable, canonical, is_signed


@dataclass
class Verdict:
    """What was found: `faults` in words; the head of each log; logs whose end no given head confirms.

    `begins`: the last seal of a log whose events were removed, in order and signed, having been kept long enough.
    """

    events: int = 0
    seals: int = 0
    faults: list[str] = field(default_factory=list)
    heads: dict[str, str] = field(default_factory=dict)
    unchecked: list[str] = field(default_factory=list)
    begins: dict[str, int] = field(default_factory=dict)


@dataclass
class _Chain:
    number: int = 0
    head: str | None = None
    leaves: list[bytes] = field(default_factory=list)
    emptied: list[int] = field(default_factory=list)
    removed: int = 0


def verify(lines: Iterable[bytes], key: Ed25519PublicKey, heads: Collection[str]) -> Verdict:
    """Check every event and seal, in the memory of one seal's events. Raises Unreadable where there is no seal."""
    verdict = Verdict()
    chains: dict[str, _Chain] = {}
    tenants: set[str] = set()
    met: set[str] = set()
    for place, line in enumerate(lines, 1):
        entry = _entry(line, place)
        if "seal" in entry:
            seal = entry["seal"]
            tenants.add(str(seal.get("tenant")))
            chain = chains.setdefault(str(seal.get("log")), _Chain())
            verdict.faults += [f"line {place}: {fault}" for fault in _seal_faults(seal, entry, chain, key)]
            chain.number, chain.head = chain.number + 1, hashlib.sha256(canonical(seal)).hexdigest()
            chain.leaves = []
            met.add(chain.head)
            verdict.seals += 1
        elif "removal" in entry:
            removal = entry["removal"]
            tenants.add(str(removal.get("tenant")))
            chain = chains.setdefault(str(removal.get("log")), _Chain())
            faults = _removal_faults(removal, entry, chain, key)
            verdict.faults += [f"line {place}: {fault}" for fault in faults]
            chain.removed = chain.removed if faults else chain.number
        else:
            chain = chains.setdefault(str(entry.get("log")), _Chain())
            chain.leaves.append(merkle.leaf_hash(line.rstrip(b"\r\n")))
            verdict.events += 1
    if not verdict.seals:
        raise Unreadable("the file holds no seal: export the sealed log")
    if len(tenants) > 1:
        verdict.faults.append("the seals belong to more than one tenant")
    _close(verdict, chains, heads, met)
    return verdict


def _close(verdict: Verdict, chains: dict[str, _Chain], heads: Collection[str], met: set[str]) -> None:
    for name, chain in sorted(chains.items()):
        if chain.removed:
            verdict.begins[name] = chain.removed
        lost = [number for number in chain.emptied if number > chain.removed]
        verdict.faults += [f"{name}: the events under seal {number} are missing" for number in lost]
        if chain.leaves:
            verdict.faults.append(f"{name}: no seal covers the last {len(chain.leaves)} events")
        if chain.head is not None:
            verdict.heads[name] = chain.head
            if chain.head not in heads:
                verdict.unchecked.append(name)
    verdict.faults += [f"the file ends before the seal {head}" for head in heads if head not in met]


def _entry(line: bytes, place: int) -> dict[str, Any]:
    try:
        entry = json.loads(line)
    except ValueError as error:
        raise Unreadable(f"line {place} is not JSON") from error
    signed = [entry[name] for name in ("seal", "removal") if name in entry] if isinstance(entry, dict) else [None]
    if not all(isinstance(each, dict) for each in signed):
        raise Unreadable(f"line {place} is neither an event nor a seal")
    return dict(entry)


def _seal_faults(seal: dict[str, Any], entry: dict[str, Any], chain: _Chain, key: Ed25519PublicKey) -> list[str]:
    faults = [] if is_signed(seal, entry.get("signature"), key) else ["the seal's signature is not by this key"]
    if seal.get("number") != chain.number + 1:
        faults.append(f"seal {seal.get('number')} follows seal {chain.number}: seals are missing or out of order")
    if seal.get("previous") != chain.head:
        faults.append("the seal does not continue the one before it")
    if not chain.leaves and seal.get("events"):
        chain.emptied.append(chain.number + 1)
    elif seal.get("events") != len(chain.leaves):
        faults.append(f"the seal covers {seal.get('events')} events, {len(chain.leaves)} are here")
    elif seal.get("root") != merkle.root(chain.leaves).hex():
        faults.append(f"the events {seal.get('first')} to {seal.get('last')} were changed or put in another order")
    return faults


def _removal_faults(removal: dict[str, Any], entry: dict[str, Any], chain: _Chain, key: Ed25519PublicKey) -> list[str]:
    faults = [] if is_signed(removal, entry.get("signature"), key) else ["the removal's signature is not by this key"]
    if removal.get("up_to") != chain.number or removal.get("seal") != chain.head or chain.leaves:
        faults.append(f"the removal is not of the seals up to {chain.number}")
    return faults
