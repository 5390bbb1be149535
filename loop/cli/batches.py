"""`propose`, `batches`, `approve`, `reject`, `dispatch`, `ingest`, `rejected`."""

import csv
import io
import sys
from pathlib import Path
from typing import Annotated

import typer

from loop.cli.campaigns import Name
from loop.cli.output import Json, print_json, print_table, refusing, working, write_text

BatchId = Annotated[str, typer.Argument(metavar="BATCH", help="The batch's id.")]


def register(app: typer.Typer) -> None:
    """Add the commands of this file."""
    for command in (propose, batches, approve, reject, dispatch, ingest, rejected):
        app.command()(command)


@refusing
def propose(
    name: Name,
    size: Annotated[int | None, typer.Option(min=1, help="How many perturbations.")] = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Show every choice, and why it was chosen.")
    ] = False,
    json: Json = False,
) -> None:
    """Choose the next batch, or show the one that is still open."""
    from loop.cli.explain import show_batch, show_explanation
    from loop.explain import expected_of
    from loop.explain import explain as told
    from loop.propose import propose_batch
    from loop.services import build

    services = build(origin="cli")
    with working("choosing a batch") as progress:
        batch = propose_batch(services, name, size, progress)
    if size is not None and len(batch.choices) != size:
        typer.echo(f"Batch {batch.id} is still open; --size was not used.", err=True)
    explanation = told(services, batch) if explain else None
    if json:
        print_json(batch if explanation is None else explanation)
        return
    if explanation is None:
        show_batch(batch, expected_of(services, batch))
    else:
        show_explanation(explanation)
    if batch.state.value == "proposed":
        typer.echo(f"Next: pertloop approve {batch.id}")


@refusing
def batches(name: Name, json: Json = False) -> None:
    """List a campaign's batches."""
    from loop.services import build

    with build(origin="cli").storage.reading() as work:
        work.campaigns.get(name)
        found = work.batches.of(name)
    if json:
        print_json(found)
        return
    print_table(
        ("batch", "state", "size", "chosen by", "decided by", "created"),
        (
            (b.id, b.state.value, len(b.choices), b.acquisition, b.decided_by, b.created_at)
            for b in found
        ),
    )


@refusing
def approve(batch_id: BatchId, json: Json = False) -> None:
    """Approve a proposed batch."""
    from loop.review import approve as decide
    from loop.services import build

    batch = decide(build(origin="cli"), batch_id)
    if json:
        print_json(batch)
        return
    typer.echo(f"Batch {batch.id} is approved. Next: pertloop dispatch {batch.id}")


@refusing
def reject(
    batch_id: BatchId,
    why: Annotated[str, typer.Option("--why", help="The reason, for the log.")],
    json: Json = False,
) -> None:
    """Reject a batch; its perturbations are on offer again."""
    from loop.review import reject as decide
    from loop.services import build

    batch = decide(build(origin="cli"), batch_id, why)
    if json:
        print_json(batch)
        return
    typer.echo(f"Batch {batch.id} is rejected. Next: pertloop propose {batch.campaign}")


@refusing
def dispatch(batch_id: BatchId, json: Json = False) -> None:
    """Lay an approved batch out on plates and hand it to the lab."""
    from loop.dispatch import dispatch_batch
    from loop.services import build

    services = build(origin="cli")
    done = dispatch_batch(services, batch_id)
    if json:
        print_json(done)
        return
    wells = sum(len(plate.wells) for plate in done.plates)
    typer.echo(
        f"Batch {batch_id}: {len(done.plates)} plate(s), {wells} wells, given to lab "
        f"{done.adapter!r} as {done.reference}."
    )
    with services.storage.reading() as work:
        campaign = work.campaigns.get(work.batches.get(batch_id).campaign)
    files = services.lab_folder(campaign) / (done.reference or "")
    if files.is_dir():
        typer.echo(f"Its files: {files}")


@refusing
def ingest(
    name: Name,
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A results file; without one the lab is asked."),
    ] = None,
    keep_good: Annotated[
        bool, typer.Option("--keep-good", help="Take good rows, set bad ones aside.")
    ] = False,
    json: Json = False,
) -> None:
    """Take in results: a file, or whatever the campaign's lab has ready."""
    from loop.domain.batch import BatchState
    from loop.ingest import collect_results, ingest_results
    from loop.services import build

    services = build(origin="cli")
    found = (
        collect_results(services, name, keep_good)
        if file is None
        else [ingest_results(services, name, file, keep_good)]
    )
    if json:
        print_json(found)
        return
    new = [each for each in found if not each.again]
    if file is None and not new:
        typer.echo("The lab has no new results.")
        return
    for each in found:
        if each.again:
            typer.echo(f"{each.file.name} was ingested before; nothing changed.")
            continue
        typer.echo(
            f"{each.file.name}: {each.file.accepted} measurements stored "
            f"({each.file.superseded} of them revisions), {each.file.unchanged} known already, "
            f"{each.file.rejected} set aside."
        )
        for batch in each.batches:
            typer.echo(f"Batch {batch.id} is {batch.state.value}.")
    usable = any(b.state is not BatchState.FAILED for each in new for b in each.batches)
    if usable and any(each.file.accepted for each in new):
        typer.echo(f"Next: pertloop retrain {name}")


@refusing
def rejected(
    name: Name,
    output: Annotated[Path | None, typer.Option("-o", "--output", help="Write a CSV file.")] = None,
    json: Json = False,
) -> None:
    """Show the rows that were set aside, each with the sentence that says why."""
    from loop.services import build

    with build(origin="cli").storage.reading() as work:
        work.campaigns.get(name)
        rows = work.results.rejected(name)
        names = {file.sha256: file.name for file in work.results.files(name)}
    table = [(names.get(row.source, row.source), row.line, row.reason, row.text) for row in rows]
    if output is not None:
        text = io.StringIO(newline="")
        csv.writer(text).writerows([("file", "line", "why", "row"), *table])
        write_text(output, text.getvalue())
    if json:
        print_json(rows)
    elif output is None:
        print_table(("file", "line", "why", "row"), table)
    else:
        sys.stderr.write(f"{len(table)} rows written to {output}\n")
