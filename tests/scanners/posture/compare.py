"""Runs MDN's HTTP Observatory on the same peers and writes where the two differ, and why, into docs/posture.md.

`npm install --ignore-scripts @mdn/mdn-http-observatory` in a folder elsewhere, then
`python -m tests.scanners.posture.compare <folder>/node_modules/@mdn/mdn-http-observatory`. Its install script fetches
two lists (preloaded hosts, top-level domains) that loopback peers do not need: short ones stand in for them.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from app.scanners.posture.rules.tables import rule_table
from app.scanners.posture.scan import examine
from app.scanners.probes import Ticket
from tests.peers.authorities import Authority
from tests.peers.faulty import Served, Site, serving
from tests.scanners.posture.faults import CLEAN, FAULTS, Case

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "posture.md"
_DRIVER = Path(__file__).resolve().parents[2] / "peers" / "observatory.mjs"

_TLS = "It judges no handshake: versions and ciphers are outside its scope."
_SCOPE = "Outside its scope."
_PREFIX = "It does not check prefixes; its cookie jar drops a cookie that breaks its own, as browsers do."
_HOPS = "It follows up to ten redirects and has no test on their number."
_MIXED = "Of mixed content it looks at scripts alone (in its test of integrity)."
_ORIGIN = "It asks with one origin only, its own."
REASONS = {
    "not-found": "It refuses to judge error pages; browsers show them like others.",
    "json": "It asks page headers of every answer; ours asks them of what a browser shows as a document.",
    "csp-data-objects": "It counts data: as unsafe for scripts only; a plug-in from a data: address runs as well.",
    "csp-base-uri": "It shows a missing base-uri as a remark that fails nothing.",
    "csp-form-action": "It shows a missing form-action as a remark that fails nothing.",
    "csp-malformed": "It skips unknown directives; a misspelt one limits nothing, which its author should know.",
    "hsts-subdomains": "It looks at max-age alone.",
    "hsts-preload-ineligible": "It asks whether the host is on the list, not whether the list would take it.",
    "hsts-over-http": "It reads the header on HTTPS answers alone.",
    "cors-reflected-credentials": "It has the rule, but as run here it looks for the origin it sent on Node's request "
    "object, finds none, and takes the echo for access restricted to some sites.",
    "cors-reflected": "It names an echoed origin only together with credentials.",
    "cors-null-origin": _ORIGIN,
    "cors-lookalike-origin": _ORIGIN,
    "cookie-samesite": "A missing SameSite loses bonus points there, and fails only for anti-CSRF cookies.",
    "cookie-prefix": _PREFIX,
    "cookie-prefix-secure": _PREFIX,
    "framing-ineffective": "Any frame-ancestors counts as protection there, * included.",
    "framing-allow-from": "ALLOW-FROM counts as protection there; no present browser knows it.",
    "content-type-missing": _SCOPE,
    "referrer-missing": "None passes there, as browsers' default is good; with us it is a remark (info).",
    "https-missing": "It also names missing HSTS, which cannot be sent without HTTPS; ours names the cause alone.",
    "redirect-downgrade": "What it names is the plain peer behind; that a redirect left HTTPS is not among its tests.",
    "redirect-foreign-first": "It follows to the other host, which does not exist, and takes plain HTTP for closed; "
    "ours stops before it, as control of it is not proved.",
    "redirect-long": _HOPS,
    "redirect-circular": _HOPS,
    "mixed-active": _MIXED,
    "mixed-passive": _MIXED,
    "form-plain": _SCOPE,
    "disclosure-version": _SCOPE,
    "security-txt-missing": _SCOPE,
    "security-txt-expired": _SCOPE,
    "security-txt-malformed": _SCOPE,
    "cert-expiring": "It asks only whether Node trusts the certificate today.",
    "cert-short-key": "It takes what Node takes.",
    "cert-weak-signature": "Node refuses the handshake, so that it sees no site at all.",
}


def main(observatory: Path) -> None:
    """Compare on every peer, and rewrite the document's two tables."""
    for name, content in (("hsts-preload.json", "{}"), ("tld-list.json", '["example", "org", "com"]')):
        if not (observatory / "conf" / name).exists():
            (observatory / "conf" / name).write_text(content)
    version = json.loads((observatory / "package.json").read_text())["version"]
    rows, same = [], 0
    for case, ours, theirs in _compared(observatory):
        failed = theirs.get("failed") or theirs.get("error", [])
        if bool(ours) == bool(failed) and case.id not in REASONS:
            same += 1
            continue
        cells = (case.id, ", ".join(ours) or "nothing", ", ".join(failed) or "nothing", reason_for(case.id))
        rows.append(f"| {' | '.join(cells)} |\n")
    head = f"On {same} of {same + len(rows)} peers both name the fault, or none (version {version}). The others:\n\n"
    head += "| peer | ours | Observatory | why they differ |\n|---|---|---|---|\n"
    text = DOCUMENT.read_text()
    text = put(text, "comparison", head + "".join(rows))
    DOCUMENT.write_text(put(text, "rules", rule_table()))


def put(text: str, name: str, table: str) -> str:
    """Return the text with the table between the comments that name it."""
    begin, end = f"<!-- {name} begin -->\n", f"<!-- {name} end -->"
    before, _, rest = text.partition(begin)
    return before + begin + table + end + rest.partition(end)[2]


def reason_for(case: str) -> str:
    """Return why the two differ on a case."""
    return REASONS.get(case) or (_TLS if case.startswith("tls-") else "")


def _compared(observatory: Path) -> Iterator[tuple[Case, list[str], dict[str, list[str]]]]:
    authority = Authority()
    roots = observatory / "conf" / "test-root.pem"
    roots.write_text(authority.roots)
    command = ["node", str(_DRIVER), str(observatory)]
    environment = {**os.environ, "NODE_EXTRA_CA_CERTS": str(roots)}
    with subprocess.Popen(command, stdin=-1, stdout=-1, text=True, env=environment) as node:
        assert node.stdin
        assert node.stdout
        for case in (*CLEAN, *FAULTS):
            tls = case.tls(authority) if case.tls else None
            with serving(Site(), authority.context()) as clean, serving(Site(), None) as plain:
                site = replace(case.site, moves=_moved(case.site, clean, plain))
                with serving(site, tls) as served, serving(Site(moves={"/": (301, served.url)}), None) as front:
                    ports = _ports(case, served, front, clean, plain)
                    node.stdin.write(json.dumps({"host": "127.0.0.1", **ports}) + "\n")
                    node.stdin.flush()
                    theirs = json.loads(node.stdout.readline())
                    ticket = Ticket("compare", "posture", target=served.url, allowed=[served.endpoint], seconds=20)
                    ours = [fault.rule for fault in examine(ticket, roots=authority.roots).faults]
            if "error" in theirs:
                theirs["error"] = [str(theirs["error"])]
            yield case, ours, theirs
        node.stdin.close()


def _moved(site: Site, clean: Served, plain: Served) -> dict[str, tuple[int, str]]:
    """Point redirects at peers that answer, as the Observatory follows them."""
    return {
        path: (
            status,
            place.replace("https://127.0.0.1/", clean.url).replace("http://127.0.0.1/", plain.url),
        )
        for path, (status, place) in site.moves.items()
    }


def _ports(case: Case, served: Served, front: Served, clean: Served, plain: Served) -> dict[str, int]:
    if case.tls is None:
        closed = case.id == "https-missing"
        return {"httpPort": served.peer.port, "httpsPort": 9 if closed else clean.peer.port}
    http = plain if case.id == "redirect-downgrade" else front
    return {"httpPort": http.peer.port, "httpsPort": served.peer.port}


if __name__ == "__main__":
    main(Path(sys.argv[1]))
