"""What a person sees of a batch."""

from dataclasses import replace

from loop.cli.explain import show_batch, show_explanation
from loop.contracts.nouns import a_reasoned_batch
from loop.domain.batch import PredictedReadout
from loop.evidence import Evidence, Near
from loop.explain import Explained, Explanation

NEAR = Evidence("A+C|K562", Near.SHARED, 1, 0.5, 1.234567, 2, 3)


def batch():
    """Two readouts are predicted of the first choice, nothing of the second."""
    made = a_reasoned_batch()
    chosen, audit = made.choices
    belief = {
        "gi": PredictedReadout(1.5, 0.5, 0.25, 0.5, 2.5),
        "growth": PredictedReadout(-0.125, 0.0625, 0.25, -0.625, 0.375),
    }
    return replace(made, choices=(replace(chosen, belief=belief), audit))


def test_every_choice_has_its_rank_share_beliefs_reason_and_evidence(capsys):
    made = batch()
    chosen, audit = made.choices
    show_explanation(
        Explanation(made, "Expect little.", (Explained(chosen, NEAR), Explained(audit, None)))
    )
    said = capsys.readouterr().out
    head, first, near, second = (
        next(line for line in said.splitlines() if word in line)
        for word in ("perturbation  ", "A@0.5uM+B@1uM|K562", "A+C|K562", "C|K562       ")
    )
    assert head.split()[:5] == ["rank", "perturbation", "by", "score", "share"]
    assert "gi, 90 %" in head
    assert "growth, 90 %" in head
    for told in ("1 ", "acquisition", "0.25", "75.0 %", "1.5 ± 1", "-0.125 ± 0.5", "0.0625"):
        assert told in first
    assert chosen.reason in first
    assert "A+C|K562 = 1.23 in round 3 (shares perturbagens)." in near
    assert second.split()[:5] == ["–", "C|K562", "audit", "–", "–"]
    for sentence in (*made.notes, "Expect little."):
        assert sentence in said
    assert "doubt: the SD that more data would remove" in said


def test_without_beliefs_there_are_no_columns_for_them(capsys):
    made = batch()
    _, audit = made.choices
    show_explanation(Explanation(made, None, (Explained(audit, None),)))
    said = capsys.readouterr().out
    assert "90 %" not in said
    assert "doubt" not in said


def test_a_batch_in_short_says_what_to_expect_and_how_to_see_the_rest(capsys):
    made = batch()
    show_batch(replace(made, choices=made.choices * 10), "Expect little.")
    said = capsys.readouterr().out
    assert said.count("acquisition") == 10
    assert said.count("audit") == 2
    assert "and 8 more; --explain and --json show all." in said
    assert said.endswith("Expect little.\n")
