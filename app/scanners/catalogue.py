"""The tools that a scan can run: what each is called, what it takes, and where its probe is found."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from types import MappingProxyType
from typing import cast

from app.scanners.probes import Artefact, Ticket

Probe = Callable[[Ticket], Artefact]


@dataclass(frozen=True)
class Tool:
    """A tool: `takes` are kinds of assets, `steps` what its probe reports in order, `probe` is `module:function`.

    `needs_proof`: it may only be run against an asset that the tenant has proved to control.
    """

    name: str
    title: str
    description: str
    takes: tuple[str, ...]
    needs_proof: bool
    steps: tuple[str, ...]
    probe: str


def load_probe(probe: str) -> Probe:
    """Import the function that `module:function` names; only who runs a probe pays for what it imports."""
    module, _, function = probe.partition(":")
    return cast(Probe, getattr(import_module(module), function))


_TOOLS = (
    Tool(
        name="posture",
        title="HTTP and TLS posture",
        description="Reads a web address as a browser would and names what its headers, cookies, page, certificate and "
        "handshakes leave open.",
        takes=("web",),
        needs_proof=True,
        steps=("Certificate", "Protocols and ciphers", "Page and headers", "Cross-origin answers", "Contacts"),
        probe="app.scanners.posture.scan:probe",
    ),
    Tool(
        name="text",
        title="Text guard",
        description="Reads a document and names personal data, secrets and attempts to steer a language model.",
        takes=("document",),
        needs_proof=False,
        steps=("Examination",),
        probe="app.scanners.guard.scan:probe",
    ),
)

TOOLS: Mapping[str, Tool] = MappingProxyType({tool.name: tool for tool in _TOOLS})
