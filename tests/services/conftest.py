"""Tenants for the tests of services."""

from tests.peers.tenants import Made, make_tenant

__all__ = ["Made", "make_tenant"]
