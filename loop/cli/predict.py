"""`predict`."""

from typing import TYPE_CHECKING, Annotated

import typer

from loop.cli.output import Json, cell, print_json, refusing

if TYPE_CHECKING:
    from loop.evidence import Evidence
    from loop.influence import Influence, Move
    from loop.parts import Parts
    from loop.predict import VirtualExperiment

_MOST_PAIRS = 10


def register(app: typer.Typer) -> None:
    """Add the command of this file."""
    app.command()(predict)


@refusing
def predict(
    name: Annotated[str, typer.Argument(metavar="CAMPAIGN", help="The campaign's name.")],
    perturbations: Annotated[
        list[str], typer.Argument(metavar="PERTURBATION...", help="Keys, such as 'A+B|K562'.")
    ],
    json: Json = False,
) -> None:
    """Predict perturbations, measured or not, and explain each belief: a virtual experiment."""
    from loop.predict import predict as ask
    from loop.services import build

    found = ask(build(origin="cli"), name, perturbations)
    if json:
        print_json(found)
        return
    for each in found:
        for line in _told(each):
            typer.echo(line)


def _told(each: "VirtualExperiment") -> list[str]:
    """One virtual experiment, line by line."""
    lines = [each.perturbation.key]
    lines += [f"  warning: {sentence}" for sentence in each.warnings]
    lines += [
        f"  {readout}: {belief.mean:.3g}, one well lies in {belief.low:.3g} to "
        f"{belief.high:.3g} with 90 % (doubt {belief.epistemic_sd:.2g}, "
        f"noise {belief.aleatoric_sd:.2g})"
        for readout, belief in each.belief.items()
    ]
    if each.measured is not None:
        lines.append(f"  measured: {each.measured:.3g}")
    goal = next(iter(each.parts.values()))
    if each.contributions:
        lines.append(f"  made of: {_made_of(goal)}")
    lines += [f"  nearest evidence: {_near(evidence)}" for evidence in each.evidence]
    if each.influence is not None:
        lines += _influence(each.influence)
    return lines


def _made_of(parts: "Parts") -> str:
    """The parts, rounded so that the sum that is shown is right."""
    from loop.parts import decimals_for, rounded

    named = [("control", parts.control), *parts.additive.items()]
    if len(parts.pairs) > _MOST_PAIRS:
        named.append((f"{len(parts.pairs)} pair interactions", sum(parts.pairs.values())))
    else:
        named += [(f"interaction {pair}", value) for pair, value in parts.pairs.items()]
    if len(parts.additive) > 2:
        named.append(("higher-order rest", parts.rest))
    values = [value for _, value in named]
    decimals = decimals_for(values)
    shown = rounded(values, decimals)
    words = [
        f"{name} {value:{'' if name == 'control' else '+'}.{decimals}f}"
        for (name, _), value in zip(named, shown, strict=True)
    ]
    return f"{', '.join(words)} = {sum(shown):.{decimals}f}"


def _near(evidence: "Evidence") -> str:
    wells = "1 well" if evidence.replicates == 1 else f"{evidence.replicates} wells"
    when = "" if evidence.round is None else f", round {evidence.round}"
    return f"{evidence.key} = {cell(evidence.value)} ({wells}{when}; {evidence.near.value})"


def _influence(influence: "Influence") -> list[str]:
    how = "" if influence.exact else " (an approximation)"
    return [f"  moved most{how} by: {_move(each)}" for each in influence.most]


def _move(move: "Move") -> str:
    own = "its own well, " if move.own else ""
    places = "; ".join(f"{well.plate} {well.name}" for well in move.wells) or "withdrawn since"
    value = "" if move.value is None else f" = {cell(move.value)}"
    return f"{own}{move.key}{value} ({places}): {move.moved:+.2g}"
