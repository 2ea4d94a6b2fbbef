"""The pages' kit: what is built, what is rendered, and that a strict policy never has to give way."""

import gzip
import hashlib
import json
import re
import shutil
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from app.local import assets
from app.web.charts import Bar, Chart, Series, scale
from tests.web.gallery import PAGES, ROOT, gallery_app


class _Page(HTMLParser):
    """Collects what a policy without 'unsafe-inline' would refuse, ids, and fields without a label."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[str] = []
        self.ids: list[str] = []
        self.fields: list[str] = []
        self.labels: set[str] = set()
        self._script = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.refused += [f"{tag} {n}" for n in given if n.startswith(("on", "hx-on")) or n == "style"]
        self.refused += [f"{tag} {n}={v}" for n, v in attrs if v and v.strip().lower().startswith("javascript:")]
        if tag == "style" or (tag == "script" and "src" not in given):
            self.refused.append(tag)
        if tag in ("script", "link", "img"):
            address = given.get("src") or given.get("href") or ""
            if not address.startswith("/static/dist/"):
                self.refused.append(f"{tag} {address}")
        if identity := given.get("id"):
            self.ids.append(identity)
        if tag == "label" and given.get("for"):
            self.labels.add(str(given["for"]))
        if tag in ("input", "select", "textarea") and given.get("type") not in ("hidden", "checkbox", "radio"):
            self.fields.append(str(given.get("id")))


@pytest.fixture(scope="module")
def client() -> FlaskClient:
    assets.build_assets()
    return gallery_app().test_client()


@pytest.mark.parametrize("name", PAGES)
def test_every_page_renders_within_a_strict_policy(client: FlaskClient, name: str) -> None:
    """A page has no inline style, script or handler, loads nothing but what was built, and stays under 60 KB."""
    answer = client.get(f"/gallery/{name}")
    assert answer.status_code == 200
    page = _Page()
    page.feed(answer.text)
    assert page.refused == []
    assert len(page.ids) == len(set(page.ids))
    assert set(page.fields) <= page.labels
    assert answer.text.count("<h1") == 1
    assert len(answer.data) < 60_000


def test_every_template_is_shown_by_the_gallery() -> None:
    """No template escapes the test above: each is a page of the gallery or is drawn in by one (or tests/platform)."""
    pages = [path for path in (ROOT / "templates").rglob("*.html") if path.parent.name not in ("mail", "platform")]
    whole = {path.relative_to(ROOT / "templates").as_posix() for path in pages}
    used = {template for template, _ in PAGES.values()}
    for path in (ROOT / "templates").rglob("*.html"):
        used |= set(re.findall(r'"([a-z_]+/[a-z_]+\.html)"', path.read_text()))
    assert whole - used == set()


def test_names_hold_the_hash_of_their_content() -> None:
    """Each built file is named after its content, and its compressed copy holds the same."""
    assets.build_assets()
    dist = ROOT / "static" / "dist"
    files = json.loads((dist / "manifest.json").read_text())["files"]
    assert set(files) == {*assets.SOURCES, "icons.svg"}
    for name in files.values():
        content = (dist / name).read_bytes()
        assert hashlib.sha256(content).hexdigest()[:12] in name
        assert gzip.decompress((dist / f"{name}.gz").read_bytes()) == content
        assert b"sourceMappingURL" not in content


def test_a_second_build_does_nothing(tmp_path: Path) -> None:
    """With the same inputs nothing is built again; a missing file is."""
    assets.build_assets()
    shutil.copytree(ROOT / "static", tmp_path / "static", ignore=shutil.ignore_patterns("dist"))
    shutil.copy(ROOT / "package-lock.json", tmp_path)
    (tmp_path / "node_modules").symlink_to(ROOT / "node_modules")
    assert [assets.build_assets(tmp_path) for _ in range(2)] == [True, False]
    dist = tmp_path / "static" / "dist"
    (dist / json.loads((dist / "manifest.json").read_text())["files"]["theme.js"]).unlink()
    assert assets.build_assets(tmp_path) is True


def test_assets_are_served_for_a_year(client: FlaskClient) -> None:
    """A built file may be kept for a year, compressed where the browser takes it."""
    files = json.loads((ROOT / "static" / "dist" / "manifest.json").read_text())["files"]
    plain = client.get(f"/static/dist/{files['console.css']}")
    packed = client.get(f"/static/dist/{files['console.css']}", headers={"Accept-Encoding": "gzip"})
    assert plain.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert plain.mimetype == "text/css"
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.data) == plain.data
    assert client.get("/static/dist/../../app/factory.py").status_code == 404


def test_no_style_sheet_or_script_fetches_from_elsewhere() -> None:
    """What was built names no other origin to load from."""
    for path in (ROOT / "static" / "dist").glob("*.*.css"):
        assert not re.search(r"@import|url\(['\"]?(?:https?:)?//", path.read_text())


def test_the_lock_holds_hashes_and_no_address() -> None:
    """Every package is pinned by its hash, and the lock does not say where from."""
    text = (ROOT / "package-lock.json").read_text()
    packages = {k: v for k, v in json.loads(text)["packages"].items() if k}
    assert packages
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    for entry in packages.values():
        entry.pop("funding", None)  # where its authors take donations
    assert "://" not in json.dumps(packages)


def test_the_icons_in_templates_are_those_of_the_list() -> None:
    """No template asks for an icon that the sprite lacks, and the sprite holds none in vain."""
    text = "".join(p.read_text() for p in [*(ROOT / "templates").rglob("*.html"), *(ROOT / "app" / "web").glob("*.py")])
    listed = set(assets.icon_names())
    assert set(re.findall(r'icon\("([a-z0-9-]+)"', text)) <= listed
    assert {name for name in listed if f'"{name}"' not in text} == set()


def test_an_axis_is_round_and_never_below_its_highest_bar() -> None:
    """Axes end at or above the highest value, in at most five steps."""
    for highest in (0, 1, 4, 5, 7, 11, 99, 100, 101, 12_345, 999_999):
        top, step = scale(highest)
        assert top >= highest and top % step == 0 and top // step <= 5


def test_a_chart_says_its_numbers_in_words() -> None:
    """Each bar carries its day, total and parts as text, and links to its rows where it has any."""
    from datetime import date

    bars = (Bar(date(2026, 3, 1), (3, 1), "/rows?day=1"), Bar(date(2026, 3, 2), (0, 0), "/rows?day=2"))
    svg = Chart("c", "Calls <b>", "calls", (Series("Done"), Series("Failed", "bad")), bars).svg
    assert '<a href="/rows?day=1"><title>1 Mar: 4 calls (3 done, 1 failed)</title>' in svg
    assert "/rows?day=2" not in svg
    assert "<b>" not in svg
    assert "<style" not in svg and "style=" not in svg
