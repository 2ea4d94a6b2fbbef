"""Whom a request comes from and which hosts are served."""

import ipaddress

import pytest
from flask.testing import FlaskClient

from app.serving.requests import client_address

PROXY = (ipaddress.ip_network("10.0.0.0/8"),)


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("203.0.113.9", "198.51.100.1", "203.0.113.9"),
        ("10.0.0.2", "198.51.100.1", "198.51.100.1"),
        ("10.0.0.2", "6.6.6.6, 198.51.100.1, 10.0.0.3", "198.51.100.1"),
        ("10.0.0.2", "not an address", "10.0.0.2"),
        ("10.0.0.2", None, "10.0.0.2"),
    ],
)
def test_forwarded_address_counts_only_behind_a_trusted_proxy(peer: str, forwarded: str, expected: str) -> None:
    """A forged X-Forwarded-For changes nothing; a trusted proxy's last hop does."""
    assert client_address(peer, forwarded, PROXY) == expected


def test_other_hosts_are_misdirected(client: FlaskClient) -> None:
    """A Host that is not BASE_URL's gets 421."""
    assert client.get("/api/v1/scans", base_url="https://evil.example").status_code == 421


def test_health_and_readiness_name_what_is_down(client: FlaskClient, base_url: str) -> None:
    """Health answers always; readiness names each part."""
    assert client.get("/health", base_url=base_url).json == {"status": "ok"}
    ready = client.get("/ready", base_url=base_url)
    assert ready.json is not None
    assert ready.json["parts"]["database"] == "ok"
    assert set(ready.json["parts"]) == {"database", "temporal", "graph"}


def test_unknown_api_address_is_a_problem_document(client: FlaskClient, base_url: str) -> None:
    """Errors of the JSON API are problem+json with the request's id."""
    answer = client.get("/api/v1/nothing", base_url=base_url)
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.json is not None and answer.json["request_id"]
