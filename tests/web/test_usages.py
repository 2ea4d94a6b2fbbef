"""The page Usage without scripts: what it shows, opens and takes out; the same for programs."""

import re
from datetime import timedelta

import pytest
from flask import Flask

from app.core.settings import settings
from app.services import calls, usage_counts
from tests.peers.tenants import Made
from tests.peers.visitors import Person
from tests.services.test_quotas import start

CASES = (
    ("split=day", [3]),
    ("split=endpoint&period=90_days", [2, 1]),
    ("split=person", [3]),
    ("split=key", [3]),
    ("split=workspace", [3]),
    ("what=scans", [2]),
    ("what=scans&split=person", [2]),
    ("what=scans&split=workspace&period=90_days", [2]),
    ("what=findings&split=key", []),
    ("what=texts&period=last_month", []),
)
LINKED = re.compile(r'<a class="row-link" href="([^"]+)">(\d+)</a>')
BY_DAY = re.compile(r'row-link" href="([^"]+)">[^<]+</a></th>\s*<td class="num">(\d+)<')


def note(tenant: Made, *endpoints: str) -> None:
    """Write calls with a token down, and their sums."""
    with tenant.unit() as unit:
        for endpoint in endpoints:
            at = unit.now()
            call = calls.call_of(unit.actor, at, method="GET", endpoint=endpoint, status=200, microseconds=900)
            calls.write_calls(unit, [call])
        usage_counts.recount(unit, at - timedelta(minutes=5), at + timedelta(minutes=5))
        unit.commit()


@pytest.fixture
def owner(app: Flask, tenant: Made) -> Person:
    """The tenant's owner at a browser, where three calls were made with a token and two scans accepted."""
    person = Person(app, settings().base_url.replace("http://", "https://")).sign_in(tenant)
    note(tenant, "/api/v1/scans", "/api/v1/scans", "/api/v1/findings")
    start(tenant), start(tenant)
    return person


def test_each_number_opens_its_rows_and_is_in_the_file(owner: Person) -> None:
    """The list behind a number has as many rows as it says; the file says the same figures."""
    for asked, numbers in CASES:
        page = owner.get(owner.at(f"/usage?{asked}"))
        assert page.status_code == 200 and "UTC" in page.text
        shown = BY_DAY.findall(page.text) if '"day" selected' in page.text else LINKED.findall(page.text)
        assert [int(number) for _, number in shown] == numbers, asked
        for url, number in shown:
            rows = owner.get(url.replace("&amp;", "&")).text
            assert rows.count("<tr>") - 1 == int(number), url
        file = owner.get(owner.at(f"/usage/figures.csv?{asked}"))
        assert file.mimetype == "text/csv" and "-utc.csv" in file.headers["Content-Disposition"]
        assert [int(line.rsplit('","', 1)[1].strip('"')) for line in file.text.split("\r\n")[1:-1]] == numbers


def test_what_nothing_measures_says_so(owner: Person) -> None:
    """A quota without a meter has no number, never 0; one that counts what is there shows it with its rows."""
    page = owner.get(owner.at("/usage?what=llm_tokens_month")).text
    assert "LLM tokens a month: not measured" in page and "0 %" not in page
    page = owner.get(owner.at("/usage?what=seats")).text
    assert "Seats: 1" in page and f"/t/{owner.slug}/people" in page
    assert "API calls per day (UTC)" in owner.get(owner.at("/usage?what=nothing&period=never&split=mood")).text


def test_no_cell_of_the_file_is_a_formula(owner: Person, tenant: Made) -> None:
    """A name that a spreadsheet would run is text in the file."""
    note(tenant, "=1+1")
    assert '"\'=1+1","\'=1+1","1"' in owner.get(owner.at("/usage/figures.csv?split=endpoint")).text


def test_the_plan_page_says_what_each_workspace_used(owner: Person) -> None:
    """Each workspace has its numbers of the month, and each opens its rows."""
    page = owner.get(owner.at("/plan")).text
    part = page[page.index('aria-label="By workspace"') :].split("</section>")[0]
    found = LINKED.findall(part)
    assert sorted(int(number) for _, number in found) == [2, 3]
    for url, number in found:
        assert owner.get(url.replace("&amp;", "&")).text.count("<tr>") - 1 == int(number)
