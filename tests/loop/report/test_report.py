import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from loop.advice import advice, outlook, span
from loop.domain.errors import CampaignNotFoundError, StorageFullError, UnreadableFileError
from loop.outlook import came, kept
from loop.report.write import write_report
from loop.review import reject
from tests.loop.campaigning import TINY, bench

FETCHING = {"src", "href", "xlink:href", "action", "data", "poster", "srcset", "background"}
VOID = {"meta", "link", "br", "img", "input", "hr"}


class Page(HTMLParser):
    """What a browser would run, fetch and show."""

    def __init__(self, html):
        super().__init__()
        self.tags, self.fetched, self.text, self.handlers, self.open = [], [], [], [], []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name in FETCHING:
                self.fetched.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
            self.fetched += re.findall(r"url\(([^)]*)\)", value or "")

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag, f"</{tag}> closes nothing"

    def handle_data(self, data):
        if self.open and self.open[-1] == "style":
            assert "@import" not in data
            assert "url(" not in data
        self.text.append(data)

    @property
    def words(self):
        return " ".join(" ".join(self.text).split())


def page(desk, folder):
    path = write_report(desk.services, desk.name, folder / "report.html")
    return Page(path.read_text(encoding="utf-8")), path.read_text(encoding="utf-8")


def svgs(html):
    return re.findall(r"<svg.*?</svg>", html, re.DOTALL)


def assert_self_contained(read):
    assert "script" not in read.tags
    assert not {"iframe", "object", "embed", "link", "img", "base", "form"} & set(read.tags)
    assert read.handlers == []
    assert read.open == []
    for address in read.fetched:
        assert address.strip("'\"").startswith(("#", "data:image/")), address


@pytest.fixture
def measured(tmp_path):
    """Two rounds with learning in between, controls on every plate."""
    desk = bench(tmp_path, TINY.with_("batch", size=20, audit=0.3))
    desk.measured()
    desk.retrain()
    desk.measured()
    desk.retrain()
    return desk


def test_a_page_needs_nothing_else_and_holds_the_numbers(measured, tmp_path):
    read, html = page(measured, tmp_path)
    assert_self_contained(read)
    record = measured.record
    assert f"{len(record.tested)} perturbations tested in 2 rounds" in read.words
    assert f"{len(record.hits)} hits" in read.words
    strongest = max(record.hits, key=lambda e: abs(record.observed.value(e.key, "gi")))
    assert strongest.key in read.words
    for snapshot in record.snapshots:
        assert snapshot.id[:12] in read.words
        assert snapshot.verdict in read.words
    plots = ("Progress", "Forecasts", "Belief against measurement", "Calibration")
    for title in (*plots, "Plates", "Log"):
        assert title in read.words
    # Four plots and two plates.
    assert len(svgs(html)) == 6
    for plate in (each for batch in record.batches for each in measured.plates(batch.id)):
        assert plate.id in html
    assert "hits found" in read.words
    assert "audit (" in read.words


def test_every_plot_is_well_formed(measured, tmp_path):
    _, html = page(measured, tmp_path)
    for svg in svgs(html):
        assert ET.fromstring(svg).tag.endswith("svg")


def test_the_same_campaign_gives_the_same_plots(measured, tmp_path):
    _, first = page(measured, tmp_path)
    _, second = page(measured, tmp_path)
    assert svgs(first) == svgs(second)


def test_a_campaign_without_data_has_a_page(tmp_path):
    desk = bench(tmp_path)
    read, html = page(desk, tmp_path)
    assert_self_contained(read)
    assert "0 perturbations tested in 0 rounds" in read.words
    assert "Nothing has been measured yet." in read.words
    assert "None yet: the first batch is drawn by lot." in read.words
    assert svgs(html) == []


@pytest.mark.parametrize("step", ["proposed", "dispatched", "failed"])
def test_a_campaign_has_a_page_at_every_step(tmp_path, step):
    desk = bench(tmp_path)
    batch = desk.propose() if step == "proposed" else desk.dispatched()
    if step == "failed":
        desk.ingest(desk.rows(batch.id, lambda plate, well: ""))
    read, _ = page(desk, tmp_path)
    assert_self_contained(read)
    assert step in read.words


@pytest.mark.parametrize("goal", ["maximize", "minimize", "learn-map"])
def test_without_thresholds_the_best_value_is_followed(tmp_path, goal):
    tiny = replace(TINY, top={"goal": goal}).with_("readout", threshold=None)
    desk = bench(tmp_path, tiny)
    desk.measured()
    read, _ = page(desk, tmp_path)
    assert_self_contained(read)
    assert "best gi (sd)" in read.words
    assert "Strongest hits" not in read.words


def test_equal_values_make_a_page(tmp_path):
    desk = bench(tmp_path)
    for _ in range(2):
        desk.measured(value_of=lambda plate, well: "0.5")
        desk.retrain()
    read, _ = page(desk, tmp_path)
    assert_self_contained(read)


NASTY = [
    "<script>alert(1)</script>",
    "$\\frac{1}{0}$",
    "$x^$",
    "a&b;<i>",
    "\"'>",
    "benzo[a]pyrene",
    "µ-基因-🧬",
    "{{ 7*7 }}",
    "%s %d",
    "]]>",
    "--><b>",
    "\\n",
]


def test_names_are_text_wherever_they_stand(tmp_path):
    quoted = "".join('"' + name.replace('"', '""') + '",gene\n' for name in NASTY)
    tiny = (
        TINY.with_table("genes.csv", "id,kind\n" + quoted)
        .with_("library", contexts=["<b>K562</b> $a_$ µ基"])
        .with_("readout", name="gi", unit='<i>$x^$</i> µ基 & "')
        .with_("batch", size=20, audit=0.3)
    )
    desk = bench(tmp_path, tiny)
    reject(desk.services, desk.propose().id, "<img src=x onerror=alert(1)> $1$ µ")

    def value(plate, well):
        return "0" if well.perturbation.is_control else str(2 + len(well.perturbation.key) / 100)

    for _ in range(2):
        desk.measured(value_of=value)
        desk.retrain()
    read, html = page(desk, tmp_path)
    assert_self_contained(read)
    values = {each.key: desk.record.observed.value(each.key, "gi") for each in desk.record.hits}
    strongest = sorted(values, key=lambda key: (-values[key], key))[:30]
    assert len(strongest) == 30
    for key in strongest:
        assert " ".join(key.split()) in read.words
    assert "<img src=x onerror=alert(1)> $1$ µ" in read.words
    assert 'gi (<i>$x^$</i> µ基 & ")' in read.words
    assert "<b>" not in html
    for svg in svgs(html):
        ET.fromstring(svg)


def test_a_page_replaces_an_older_one_and_leaves_nothing_else(measured, tmp_path):
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / "report.html").write_text("old")
    read, _ = page(measured, folder)
    assert "Pertloop report" in read.words
    assert [each.name for each in folder.iterdir()] == ["report.html"]


def test_a_place_that_cannot_hold_a_page_is_refused(tmp_path, monkeypatch):
    desk = bench(tmp_path)
    monkeypatch.chdir(tmp_path)
    for place, told in (
        (tmp_path / "nowhere" / "r.html", "could not be written: no such file"),
        (tmp_path, "is a folder"),
        (type(tmp_path)(), "is a folder"),
    ):
        with pytest.raises(UnreadableFileError, match=told):
            write_report(desk.services, "tiny", place)
    assert not list(tmp_path.glob("*.partial"))
    with pytest.raises(CampaignNotFoundError):
        write_report(desk.services, "tinny", tmp_path / "r.html")


def test_a_disk_that_fills_up_leaves_the_older_page(tmp_path, monkeypatch):
    desk = bench(tmp_path)
    place = tmp_path / "report.html"
    place.write_text("old")

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    with pytest.raises(StorageFullError, match="disk is full"):
        write_report(desk.services, "tiny", place)
    assert place.read_bytes() == b"old"


def test_the_numbers_of_a_round_are_those_of_its_scores(measured, tmp_path):
    read, _ = page(measured, tmp_path)
    scores = measured.record.batches[-1].scores
    assert f"{scores.rmse:.3g}" in read.words
    assert f"{100 * scores.coverage90:.0f} %" in read.words


def test_what_was_expected_of_a_round_stands_beside_what_came(measured, tmp_path):
    read, _ = page(measured, tmp_path)
    record = measured.record
    found = came(record, record.batches[-1])
    assert f"{span(found.forecast)} {found.value:.3g}" in read.words
    assert outlook(record) in read.words
    held, told = kept(record)
    assert f"Forecasts: {held} of {told} 90 % intervals held what came." in read.words


def test_hits_are_told_tail_by_tail_and_with_how_they_were_found(measured, tmp_path):
    read, _ = page(measured, tmp_path)
    record = measured.record
    values = [record.observed.value(each.key, "gi") for each in record.hits]
    low = sum(value < 0 for value in values)
    assert f"{len(values)} {low} / {len(values) - low}" in read.words
    believed = {c.perturbation.key: c.belief["gi"] for c in record.batches[-1].choices}
    [told] = [b for key, b in believed.items() if key in strongest(record)][:1]
    assert f"{told.mean:.3g} ({told.low:.3g} to {told.high:.3g})" in read.words


def strongest(record):
    """The key of the hit of the last round that lies farthest out."""
    last = {choice.perturbation.key for choice in record.batches[-1].choices}
    mine = [each for each in record.hits if each.key in last]
    return {max(mine, key=lambda each: abs(record.observed.value(each.key, "gi"))).key}


def test_the_open_batch_is_shown_choice_by_choice(measured, tmp_path):
    batch = measured.propose()
    read, _ = page(measured, tmp_path)
    assert f"Its {len(batch.choices)} choices, and why" in read.words
    for choice in batch.choices:
        assert choice.perturbation.key in read.words
        assert choice.reason in read.words
    assert advice(measured.record, batch) in read.words
