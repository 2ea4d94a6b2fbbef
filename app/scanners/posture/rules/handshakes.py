"""What can be wrong with handshakes and certificates."""

from collections.abc import Mapping

from app.scanners.posture.rules.kinds import Rule, by_id
from app.scanners.probes import Severity

_RFC8996 = "https://www.rfc-editor.org/rfc/rfc8996"
_RFC9325 = "https://www.rfc-editor.org/rfc/rfc9325"
_CABF = "https://cabforum.org/working-groups/server/baseline-requirements/"
_HIGH, _MEDIUM, _LOW, _INFO = Severity.HIGH, Severity.MEDIUM, Severity.LOW, Severity.INFO

TLS_RULES: Mapping[str, Rule] = by_id(
    Rule(
        "tls-ssl3",
        "SSL 3.0 is accepted",
        _HIGH,
        327,
        "Switch SSL 3.0 off (nginx: ssl_protocols TLSv1.2 TLSv1.3); it is broken (POODLE).",
        "https://www.rfc-editor.org/rfc/rfc7568",
    ),
    Rule(
        "tls-1.0",
        "TLS 1.0 is accepted",
        _MEDIUM,
        327,
        "Switch TLS 1.0 off (nginx: ssl_protocols TLSv1.2 TLSv1.3; Apache: SSLProtocol -all +TLSv1.2 +TLSv1.3).",
        _RFC8996,
    ),
    Rule(
        "tls-1.1",
        "TLS 1.1 is accepted",
        _MEDIUM,
        327,
        "Switch TLS 1.1 off (nginx: ssl_protocols TLSv1.2 TLSv1.3; Apache: SSLProtocol -all +TLSv1.2 +TLSv1.3).",
        _RFC8996,
    ),
    Rule(
        "tls-1.3-missing",
        "TLS 1.3 is not offered",
        _INFO,
        None,
        "Switch TLS 1.3 on: one round trip less, and only ciphers that are still thought good.",
        _RFC9325 + "#section-3.1.1",
    ),
    Rule(
        "tls-weak-cipher",
        "A weak cipher is accepted",
        _HIGH,
        327,
        "Leave only ECDHE suites with AES-GCM or ChaCha20; no RC4, DES, NULL, EXPORT or anonymous ones.",
        _RFC9325 + "#section-4.1",
    ),
    Rule(
        "tls-3des",
        "A cipher with 64-bit blocks is accepted",
        _MEDIUM,
        327,
        "Take 3DES and IDEA out of the list of suites: after some gigabytes on one connection they leak (Sweet32).",
        "https://sweet32.info/",
    ),
    Rule(
        "tls-no-forward-secrecy",
        "Connections without forward secrecy are accepted",
        _LOW,
        327,
        "Take the suites with plain RSA key exchange (TLS_RSA_…) out, so that a stolen key opens no old recordings.",
        _RFC9325 + "#section-4.1",
    ),
    Rule(
        "cert-expired",
        "The certificate has expired",
        _HIGH,
        298,
        "Renew it now, and let a timer (ACME) renew it from then on.",
        "https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5",
    ),
    Rule(
        "cert-not-yet-valid",
        "The certificate is not valid yet",
        _HIGH,
        298,
        "Install the certificate that is valid today, and check the clock of the machine that issued this one.",
        "https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5",
    ),
    Rule(
        "cert-expiring",
        "The certificate expires within 14 days",
        _INFO,
        298,
        "Renew it, and see why the automatic renewal has not.",
        "https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5",
    ),
    Rule(
        "cert-wrong-host",
        "The certificate is for another host",
        _HIGH,
        297,
        "Issue a certificate whose subjectAltName names this host; the common name no longer counts.",
        "https://www.rfc-editor.org/rfc/rfc9525",
    ),
    Rule(
        "cert-self-signed",
        "The certificate is signed by itself",
        _HIGH,
        296,
        "Use one from a public authority (Let's Encrypt costs nothing), or visitors learn to click warnings away.",
        "https://www.rfc-editor.org/rfc/rfc5280#section-6.1",
    ),
    Rule(
        "cert-untrusted",
        "The certificate's authority is not trusted",
        _HIGH,
        296,
        "Use one from a public authority; a private one serves only machines on which its root is installed.",
        "https://www.rfc-editor.org/rfc/rfc5280#section-6.1",
    ),
    Rule(
        "cert-incomplete-chain",
        "An intermediate certificate is not sent",
        _MEDIUM,
        296,
        "Install the full chain (fullchain.pem): the host's certificate and every intermediate after it.",
        "https://www.rfc-editor.org/rfc/rfc8446#section-4.4.2",
    ),
    Rule(
        "cert-short-key",
        "The certificate's key is too short",
        _HIGH,
        326,
        "Make a new key: ECDSA P-256, or RSA with 2048 bits or more.",
        _CABF,
    ),
    Rule(
        "cert-weak-signature",
        "The certificate is signed with a broken hash",
        _HIGH,
        328,
        "Have it issued anew with SHA-256 or better.",
        _CABF,
    ),
)
