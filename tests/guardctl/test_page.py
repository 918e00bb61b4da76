"""The page of a replay, as a browser shows it: complete, sortable, and deaf to what records say."""

import base64
import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from typer.testing import CliRunner

from guard.findings.finding import Severity
from guardctl.__main__ import app
from guardctl.replay.chart import chart
from guardctl.replay.page import breakable, clock
from guardctl.replay.slack_view import message
from tests.records import FOREIGN_ENDPOINT, OWN_ENDPOINT, READ, ROTATION_SUCCEEDED, read, role

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
HOSTILE = '</script><script>document.title="taken"</script><img src=x onerror="document.title=1">'
RECORDS = [
    *[read(eventID=f"alice {n}", eventTime=f"2026-06-0{n}T09:30:00Z") for n in range(1, 4)],
    *[
        read(eventID=f"app {n}", userIdentity=role("app"), eventName="DescribeSecret")
        for n in range(12)
    ],
    read(eventID="foreign", userIdentity=role("ci"), vpcEndpointId=FOREIGN_ENDPOINT),
    read(
        eventID="console",
        sessionCredentialFromConsole="true",
        userAgent="Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0",
    ),
    read(eventID="fine", vpcEndpointId=OWN_ENDPOINT),
    read(
        eventID="hostile",
        userIdentity=role("evil") | {"arn": f"arn:aws:sts::111122223333:assumed-role/{HOSTILE}/x"},
        requestParameters={"secretId": HOSTILE},
        resources=None,
        userAgent=f"*bold* `code` <https://evil.example|click> {HOSTILE}",
        errorCode=HOSTILE,
    ),
    read(
        eventID="policy",
        eventName="PutResourcePolicy",
        vpcEndpointId=OWN_ENDPOINT,
        requestParameters={"secretId": "payroll", "resourcePolicy": "{}"},
    ),
    ROTATION_SUCCEEDED,
]


def written(tmp_path: Path, *records: Any, exceptions: Path | None = None) -> Path:
    log, html = tmp_path / "log.json", tmp_path / "page.html"
    log.write_text(json.dumps({"Records": records}))
    options = ["--html", str(html), "--approved-endpoint", OWN_ENDPOINT]
    options += ["--exceptions", str(exceptions)] if exceptions else []
    CliRunner().invoke(app, ["replay", str(log), *options])
    return html


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: apt-get install chromium")
    playwright_api = pytest.importorskip("playwright.sync_api", reason="make setup installs it")
    with playwright_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def html(tmp_path_factory) -> Path:
    return written(tmp_path_factory.mktemp("page"), *RECORDS)


@pytest.fixture
def page(browser: "Browser", html: Path) -> Iterator["Page"]:
    """The page opened; whatever it asks of the network, and each of its errors, fails the test."""
    page = browser.new_page()
    wrong: list[str] = []
    page.on("request", lambda request: request.url.startswith("file:") or wrong.append(request.url))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.on("console", lambda reported: wrong.append(reported.text))
    page.goto(html.as_uri())
    yield page
    page.close()
    assert wrong == []


def column(page: "Page", number: int) -> list[str]:
    """The cells of a column in the rows that are shown, from above."""
    rows = page.locator("#findings tbody tr:visible")
    return [row.locator("td").nth(number).inner_text() for row in rows.all()]


def test_what_it_shows(page: "Page"):
    text = page.locator("main").inner_text()
    assert "21 of Secrets Manager" in " ".join(text.split())
    assert "19 occurrences 6 alerts: published at once 2 deferred to 1 digest" in " ".join(
        text.split()
    )
    assert page.locator("#shown").inner_text() == "6 of 6 shown"
    assert page.locator("svg.timeline rect").count() >= 4
    titles = page.locator("svg.timeline rect title").all_text_contents()
    assert any("bypass: " in title for title in titles)
    assert {"Principals", "Secrets", "Causes", "Addresses"} <= set(
        page.locator("h2").all_inner_texts()
    )


def test_sorting(page: "Page"):
    heading = page.get_by_role("button", name="Occurrences")
    heading.click()
    assert [int(count) for count in column(page, 6)] == [1, 1, 1, 1, 3, 12]
    heading.click()
    assert [int(count) for count in column(page, 6)] == [12, 3, 1, 1, 1, 1]
    assert page.locator("#findings th").nth(6).get_attribute("aria-sort") == "descending"
    page.get_by_role("button", name="Severity").click()
    ranks = ["info", "low", "medium", "high"]
    assert column(page, 3) == sorted(column(page, 3), key=ranks.index)
    page.locator("#findings").get_by_role("button", name="Who").click()
    assert column(page, 1) == sorted(column(page, 1), key=str.lower)
    assert page.locator("#findings th[aria-sort]").count() == 1


def test_sorting_a_small_table(page: "Page"):
    table = page.locator("section[aria-label=Principals]")
    table.get_by_role("button", name="Records").click()
    counts = [int(text) for text in table.locator("td.number").all_inner_texts()]
    assert counts == sorted(counts)
    assert len(counts) > 2


def test_filtering(page: "Page"):
    page.locator("#filter").fill("role/app DescribeSecret")
    assert column(page, 6) == ["12"]
    assert page.locator("#shown").inner_text() == "1 of 6 shown"
    assert page.locator("article:visible").count() == 1
    assert "seen 12 times" in page.locator("article:visible").inner_text()
    page.locator("#filter").fill("")
    page.locator("#kind").select_option("foreign-endpoint")
    assert [one.splitlines()[0] for one in column(page, 4)] == ["foreign-endpoint"]
    page.locator("#severity").select_option("low")
    assert column(page, 4) == []
    page.locator("#kind").select_option("")
    assert set(column(page, 3)) == {"low"}


def test_from_a_row_to_its_message(page: "Page"):
    page.locator("#kind").select_option("console-access")
    page.locator("#findings tbody tr:visible a").click()
    card = page.locator("article:target")
    assert "CONSOLE" in card.inner_text().upper()
    assert "What to do" in card.inner_text()
    page.locator("#kind").select_option("secret-policy-changed")
    page.locator("#findings tbody tr:visible a").click()
    assert "payroll" in page.locator("article:target").inner_text()


def test_what_records_say_stays_text(page: "Page"):
    assert page.title() == "VPCE Guard: replay"
    assert page.locator("main img").count() == 0
    assert page.locator("script").count() == 1
    assert HOSTILE in page.locator("#findings").inner_text()
    links = page.locator("a").evaluate_all("all => all.map(one => one.getAttribute('href'))")
    assert all(link.startswith("#card-") or ".aws.amazon.com/" in link for link in links)


def test_only_its_own_script_may_run(page: "Page", browser: "Browser", html: Path, tmp_path: Path):
    spoilt = tmp_path / "spoilt.html"
    spoilt.write_text(
        html.read_text().replace("</main>", "</main><script>document.title = 'taken'</script>")
    )
    other = browser.new_page()
    other.goto(spoilt.as_uri())
    assert other.title() == "VPCE Guard: replay"
    other.close()


def test_nothing_found(browser: "Browser", tmp_path: Path):
    page = browser.new_page()
    page.goto(written(tmp_path, ROTATION_SUCCEEDED).as_uri())
    assert "nothing would have been published" in page.locator("main").inner_text()
    assert page.locator("#findings").count() == 0
    page.close()


# What needs no browser


class Outline(HTMLParser):
    """The tags of a page with their attributes, and the text in each."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []  # of each tag: what stands in it before the next one
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        self.texts.append("")

    def handle_data(self, data: str) -> None:
        if self.texts:
            self.texts[-1] += data

    def all(self, tag: str, attribute: str = "") -> list[dict[str, str | None]]:
        """The attributes of each such tag that has the attribute; its text as `text`."""
        return [
            {**attributes, "text": text.strip()}
            for (name, attributes), text in zip(self.tags, self.texts, strict=True)
            if name == tag and (not attribute or attribute in attributes)
        ]


def test_what_the_script_sorts_and_filters_by_is_there(html: Path):
    """Each row says its severity, verdict and card; what can be chosen is what rows say."""
    outline = Outline(html.read_text())
    rows = outline.all("tr", "data-card")
    ranks = {"info": 0, "low": 1, "medium": 2, "high": 3}
    assert [row["data-severity"] for row in rows] == sorted(
        (str(row["data-severity"]) for row in rows), key=ranks.__getitem__, reverse=True
    )
    assert {row["data-kind"] for row in rows} == {
        "bypass",
        "console-access",
        "foreign-endpoint",
        "secret-policy-changed",
    }
    chosen = [option["text"] for option in outline.all("option") if option["text"] != "all"]
    reported = {row[name] for row in rows for name in ("data-severity", "data-kind")}
    assert set(chosen) == reported
    assert len(chosen) == len(reported)
    cards = [card["id"] for card in outline.all("article", "id")]
    assert cards == [f"card-{row['data-card']}" for row in rows]
    links = {link["href"] for link in outline.all("a") if str(link["href"]).startswith("#")}
    assert links == {f"#card-{row['data-card']}" for row in rows}
    assert {"filter", "severity", "kind", "shown", "findings"} <= {
        str(attributes["id"]) for _, attributes in outline.tags if "id" in attributes
    }


def test_numbers_are_sorted_as_numbers(html: Path):
    """By `data-sort`: ranks of severities, and counts, which are the text without its commas."""
    outline = Outline(html.read_text())
    cells = outline.all("td", "data-sort")
    counts = [cell for cell in cells if cell.get("class") == "number" and cell["text"]]
    assert counts
    shown = [cell for cell in counts if cell["text"] != "digest"]
    assert all(cell["data-sort"] == str(cell["text"]).replace(",", "") for cell in shown)
    rows = outline.all("tr", "data-card")
    first = [cell["data-sort"] for cell in cells if "class" not in cell]
    assert first == [str(Severity(str(row["data-severity"])).rank) for row in rows]
    occurrences = cells[1 : 3 * len(rows) : 3]
    assert sorted(int(str(cell["data-sort"])) for cell in occurrences) == [1, 1, 1, 1, 3, 12]


def test_only_the_pages_own_script_is_let_run(html: Path):
    outline = Outline(html.read_text())
    (script,) = outline.all("script")
    written_as = re.search(r"<script>(.*?)</script>", html.read_text(), re.DOTALL)
    assert written_as
    digest = base64.b64encode(hashlib.sha256(written_as[1].encode()).digest()).decode()
    (policy,) = outline.all("meta", "http-equiv")
    assert f"script-src 'sha256-{digest}';" in str(policy["content"])
    assert "document" in str(script["text"])


def test_a_page_is_whole_by_itself(html: Path):
    text = html.read_text()
    assert not re.findall(r"""(?:src|@import|url\()\s*=?["']?https?:""", text)
    assert "default-src &#39;none&#39;" in text
    assert HOSTILE not in text


def test_an_exception_that_has_expired_is_reported_once(tmp_path):
    entry = {"name": "old", "owner": "o", "reason": "r", "expires": "2026-05-31"}
    exceptions = tmp_path / "exceptions.json"
    exceptions.write_text(json.dumps({"exceptions": [entry | {"cidr": "198.51.100.7/32"}]}))
    text = written(tmp_path, *RECORDS[:3], exceptions=exceptions).read_text()
    assert text.count("The exception old has expired and is still needed") == 1


def test_a_page_of_nothing(tmp_path):
    text = written(tmp_path, read(eventSource="ec2.amazonaws.com")).read_text()
    assert "<svg" not in text


def test_a_page_that_cannot_be_written(tmp_path):
    log = tmp_path / "log.json"
    log.write_text(json.dumps(READ))
    found = CliRunner().invoke(app, ["replay", str(log), "--html", str(tmp_path / "no" / "page")])
    assert found.exit_code == 2
    assert "No such file" in " ".join(found.stderr.replace("│", " ").split())


def test_the_timeline_adds_up_whatever_its_span():
    spans = (
        ["2026-06-01T09:3"],
        ["2026-06-01T09:3", "2026-06-01T10:0"],
        ["2019-01-01T00:0", "2026-06-01T00:0"],
        ["0001-01-01T00:0", "9999-12-31T23:5"],
    )
    for times in spans:
        counted = {
            (time, verdict): number
            for number, time in enumerate(times, 2)
            for verdict in ("bypass", "service")
        }
        drawn = chart(counted)
        reported = [int(bar.title.rsplit(" ", 1)[1]) for bar in drawn.bars]
        assert sum(reported) == sum(counted.values())
        assert len({bar.x for bar in drawn.bars}) == len(times)
        assert max(bar.x + bar.width for bar in drawn.bars) <= 960
        assert min(bar.y for bar in drawn.bars) == pytest.approx(0)
    assert chart({("", "bypass"): 3, ("no time", "bypass"): 1}).bars == ()


def test_blocks_that_are_not_known_are_shown_as_they_are():
    shown = message({"blocks": [{"type": "video", "title": "<b>"}]})
    assert "&lt;b&gt;" in shown
    assert "video" in shown


def test_a_button_that_leads_elsewhere_is_no_link():
    button = {"type": "button", "text": {"type": "plain_text", "text": "x"}}
    blocks = [
        {"type": "actions", "elements": [button | {"url": url}]}
        for url in ("javascript:alert(1)", "http://x", "https://x")
    ]
    assert message({"blocks": blocks}).count("<a ") == 1


def test_a_row_says_when_who_and_what_first_and_has_the_exception_to_paste(html: Path):
    outline = Outline(html.read_text())
    rows = outline.all("tr", "data-card")
    labels = [cell["data-label"] for cell in outline.all("td", "data-label")]
    assert labels[: len(labels) // len(rows)][:3] == ["When", "Who", "What"]
    text = html.read_text().replace("<wbr>", "")
    assert "2026-06-01 09:30:00" in text
    assert (
        "guardctl exceptions add user-alice --principal arn:aws:iam::111122223333:user/alice"
        in text
    )


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("arn:aws:iam::1:role/a", "arn:<wbr>aws:<wbr>iam:<wbr>:<wbr>1:<wbr>role/<wbr>a"),
        ("two words", "two words"),
        ("<b>/x&", "&lt;b&gt;/<wbr>x&amp;"),
        ("ends/", "ends/"),
    ],
)
def test_a_line_ends_between_the_parts_of_a_name_and_in_no_word(text: str, shown: str):
    assert breakable(text) == shown


@pytest.mark.parametrize("text", ["", "never", "9999-99-99"])
def test_a_time_that_is_none_stays_as_it_is(text: str):
    assert clock(text) == text


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 375])
def test_the_page_fits_its_window(browser: "Browser", html: Path, width: int, scheme: Any):
    """Nothing is wider than the window, and no short word is broken."""
    page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page.goto(html.as_uri())
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    table = page.locator("#findings").bounding_box()
    assert table
    assert table["x"] + table["width"] <= width
    # A word that is broken is as high as two lines.
    high = page.evaluate(
        """() => [...document.querySelectorAll("#findings td:not(.when) :is(div, span)")]
        .filter((one) => /^[A-Za-z0-9-]{1,24}$/.test(one.textContent.trim()))
        .filter((one) => one.getBoundingClientRect().height > 30).map((one) => one.textContent)"""
    )
    page.close()
    assert high == []


@pytest.mark.parametrize("width", [1280, 375])
def test_the_words_of_the_timeline_can_be_read(page: "Page", width: int):
    page.set_viewport_size({"width": width, "height": 900})
    boxes = [one.bounding_box() for one in page.locator("svg.timeline text:visible").all()]
    assert len(boxes) >= 2
    assert all(box and box["height"] >= 11 for box in boxes)
    ends = sorted((box["x"], box["x"] + box["width"]) for box in boxes[1:] if box)
    assert all(first[1] < second[0] for first, second in pairwise(ends))
    assert all(end <= width for _, end in ends)
