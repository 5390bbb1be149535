import errno
import json
import math
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
import typer

from loop.cli.output import cell, plain, print_json, print_table, refusing, working
from loop.contracts.nouns import a_batch
from loop.domain.batch import BatchState
from loop.domain.errors import BatchNotFoundError
from loop.domain.perturbation import Perturbation


def test_everything_of_ours_has_a_json_form(capsys):
    print_json(
        {
            "batch": a_batch(),
            "state": BatchState.PARTIAL,
            "key": Perturbation.parse("B+A|c"),
            "numbers": (1, 2.5, math.nan, math.inf, np.float64(0.5)),
            "path": Path("a/b"),
            "when": datetime(2026, 1, 2, tzinfo=UTC),
            "nothing": None,
            3: True,
        }
    )
    out = capsys.readouterr().out
    read = json.loads(out, parse_constant=pytest.fail)
    assert read["batch"]["choices"][0]["perturbation"] == "A@0.5uM+B@1uM|K562"
    assert read["batch"]["choices"][0]["belief"]["gi"]["low"] is None
    assert read["batch"]["state"] == "proposed"
    assert read["state"] == "partial"
    assert read["key"] == "A+B|c"
    assert read["numbers"] == [1, 2.5, None, None, 0.5]
    assert (read["path"], read["when"]) == ("a/b", "2026-01-02T00:00:00+00:00")
    assert (read["nothing"], read["3"]) == (None, True)


def test_what_has_no_json_form_is_not_guessed():
    with pytest.raises(TypeError, match="object has no JSON form"):
        plain(object())


@pytest.mark.parametrize(
    ("thing", "shown"),
    [
        (None, "–"),
        (True, "yes"),
        (1234, "1234"),
        (0.123456, "0.123"),
        (datetime(2026, 1, 2, 3, 4, tzinfo=UTC), "2026-01-02 03:04"),
        ("a", "a"),
    ],
)
def test_a_cell_is_short(thing, shown):
    assert cell(thing) == shown


@pytest.mark.parametrize(
    "name", ["benzo[a]pyrene", "[3H]thymidine", "[red]x", "[/]", "[/y]", ":dna:", "基因", "\\["]
)
def test_a_name_is_printed_as_it_is(capsys, name):
    print_table(("name",), [(name,)])
    assert name in capsys.readouterr().out


def refused(error, **options):
    @refusing
    def command(json: bool = False) -> None:
        raise error

    with pytest.raises(typer.Exit) as exit_code:
        command(**options)
    return exit_code.value.exit_code


def test_a_refusal_is_one_sentence_on_stderr_and_one(capsys):
    assert refused(BatchNotFoundError("There is no batch 'x'.")) == 1
    assert capsys.readouterr() == ("", "pertloop: There is no batch 'x'.\n")


def test_a_refusal_is_a_document_too_where_one_was_asked_for(capsys):
    assert refused(BatchNotFoundError("There is no batch 'x'."), json=True) == 1
    document = json.loads(capsys.readouterr().out)
    assert document["error"] == {
        "kind": "BatchNotFoundError",
        "sentence": "There is no batch 'x'.",
    }


def test_a_full_disk_is_told_as_such(capsys):
    assert refused(OSError(errno.ENOSPC, "No space left on device")) == 1
    assert "disk is full" in capsys.readouterr().err


def test_a_programming_error_is_not_hidden():
    @refusing
    def command() -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        command()


def test_progress_is_silent_where_nobody_watches(capsys):
    with working("learning") as tell:
        tell(0.5, "[bold] half way")
    assert capsys.readouterr() == ("", "")
