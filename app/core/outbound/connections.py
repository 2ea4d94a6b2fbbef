"""Connections to an address that was checked, in clear or under TLS, without a second look-up."""

import socket
import ssl
from functools import lru_cache

import certifi

from app.core.outbound.locations import checked_port, plain_host
from app.core.outbound.names import resolve_within
from app.core.outbound.policies import Deadline, Kind, Policy, Unreachable

_MOST_TRIED = 4


def connect(host: str, port: int, policy: Policy) -> socket.socket:
    """Return a connected TCP socket to a checked address of `host`; each wait on it ends after `read_seconds`.

    Raises Refused or Unreachable.
    """
    return connect_within(plain_host(host), port, policy, Deadline(policy.total_seconds))[0]


def handshake(host: str, port: int, policy: Policy, context: ssl.SSLContext) -> ssl.SSLSocket:
    """Return a connection like `connect`'s under TLS, as `context` wants it, with `host` as the server's name.

    Raises Refused or Unreachable; of kind TLS where the handshake fails, with the ssl.SSLError as its cause.
    """
    deadline = Deadline(policy.total_seconds)
    name = plain_host(host)
    connection, _ = connect_within(name, port, policy, deadline)
    return secure(connection, name, policy, context, deadline)


@lru_cache(maxsize=1)
def trusting_context() -> ssl.SSLContext:
    """Return the one context, not to be changed, that asks for the name and for a chain to a known root."""
    context = ssl.create_default_context()
    context.load_verify_locations(certifi.where())
    context.set_alpn_protocols(["http/1.1"])
    return context


def unverified_context() -> ssl.SSLContext:
    """Return a fresh context that takes any certificate: to look at a site, never to send it a secret."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["http/1.1"])
    return context


def connect_within(host: str, port: int, policy: Policy, deadline: Deadline) -> tuple[socket.socket, str]:
    """Do what `connect` does, for a plain host, before a deadline that others share; return the address as well."""
    checked_port(port)
    addresses = resolve_within(host, policy, port, deadline)
    failure: OSError | None = None
    for address in addresses[:_MOST_TRIED]:
        try:
            connection = dial(address, port, deadline.left(policy.connect_seconds))
        except OSError as error:
            failure = error
        else:
            connection.settimeout(policy.read_seconds)
            return connection, address
    if isinstance(failure, TimeoutError):
        raise Unreachable(Kind.TIMEOUT, f"{host} did not take a connection on port {port} in time") from None
    raise Unreachable(Kind.CONNECT, f"{host} takes no connection on port {port}") from failure


def dial(address: str, port: int, seconds: float) -> socket.socket:
    """Connect to this very address. Raises OSError."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    try:
        connection.settimeout(seconds)
        connection.connect((address, port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    except BaseException:
        connection.close()
        raise
    return connection


def secure(
    connection: socket.socket, host: str, policy: Policy, context: ssl.SSLContext, deadline: Deadline
) -> ssl.SSLSocket:
    """Take an open connection through a TLS handshake; it is closed where that fails. Raises Unreachable."""
    try:
        connection.settimeout(deadline.left(policy.read_seconds))
        return context.wrap_socket(connection, server_hostname=host)
    except TimeoutError:
        connection.close()
        raise Unreachable(Kind.TIMEOUT, f"{host} did not finish the TLS handshake in time") from None
    except (OSError, ValueError) as error:
        connection.close()
        raise Unreachable(Kind.TLS, f"The TLS handshake with {host} failed: {_reason(error)}") from error
    except BaseException:
        connection.close()
        raise


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError) and error.reason:
        return error.reason.replace("_", " ").lower()
    return "the connection broke"
