"""What `propose` and `propose --explain` show of a batch."""

from typing import TYPE_CHECKING

import typer

from loop.cli.output import cell, print_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loop.domain.batch import Batch, Choice
    from loop.evidence import Evidence
    from loop.explain import Explained, Explanation

_SHOWN = 12


def show_batch(batch: "Batch", expected: str | None) -> None:
    """Some choices of a batch, and what it is expected to bring."""
    _head(batch)
    order = sorted(batch.choices, key=lambda each: each.chosen_by.value != "acquisition")
    print_table(
        ("perturbation", "by", "score", "why"),
        ((c.perturbation.key, c.chosen_by.value, c.score, c.reason) for c in order[:_SHOWN]),
    )
    if len(order) > _SHOWN:
        typer.echo(f"… and {len(order) - _SHOWN} more; --explain and --json show all.")
    if expected is not None:
        typer.echo(expected)


def show_explanation(explanation: "Explanation") -> None:
    """Every choice with its rank, score, belief, share of the value, evidence and reason."""
    batch = explanation.batch
    _head(batch)
    for note in batch.notes:
        typer.echo(note)
    if explanation.advice is not None:
        typer.echo(explanation.advice)
    readouts = list(next((e.choice.belief for e in explanation.choices if e.choice.belief), {}))
    columns = ["rank", "perturbation", "by", "score", "share"]
    for name in readouts:
        columns += [f"{name}, 90 %", "doubt"]
    rows = [_row(each, readouts) for each in explanation.choices]
    print_table([*columns, "why, and the nearest that was measured"], rows)
    typer.echo(_legend(batch, bool(readouts)))


def _head(batch: "Batch") -> None:
    typer.echo(
        f"Batch {batch.id} ({batch.state.value}): {len(batch.choices)} perturbations, "
        f"chosen by {batch.acquisition} on {batch.surrogate}, seed {batch.seed}."
    )


def _row(each: "Explained", readouts: "Sequence[str]") -> list[object]:
    choice = each.choice
    share = None if choice.contribution is None else f"{100 * choice.contribution:.1f} %"
    row: list[object] = [
        None if choice.rank is None else f"{choice.rank:,}",
        choice.perturbation.key,
        choice.chosen_by.value,
        choice.score,
        share,
    ]
    for name in readouts:
        row += _believed(choice, name)
    return [*row, choice.reason + _near(each.nearest)]


def _believed(choice: "Choice", readout: str) -> list[object]:
    told = choice.belief.get(readout)
    if told is None:
        return [None, None]
    return [f"{told.mean:.3g} ± {(told.high - told.low) / 2:.2g}", told.epistemic_sd]


def _near(evidence: "Evidence | None") -> str:
    if evidence is None:
        return ""
    when = "" if evidence.round is None else f" in round {evidence.round}"
    return f"\n{evidence.key} = {cell(evidence.value)}{when} ({evidence.near.value})."


def _legend(batch: "Batch", believed: bool) -> str:
    told = (
        f"rank: among all candidates rated. score: as {batch.acquisition} gives it. "
        "share: of the batch's value that this choice brought."
    )
    if believed:
        told += (
            " 90 %: where one well will lie nine times in ten, calibrated. doubt: the SD that "
            "more data would remove."
        )
    return told
