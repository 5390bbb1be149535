"""A campaign from Python: the same use cases as the command line, in the simulated lab.

Run it with `.venv/bin/python examples/first_campaign.py`; state lies in PERTLOOP_HOME.
"""

from pathlib import Path

from loop.dispatch import dispatch_batch
from loop.ingest import collect_results
from loop.initialize import initialize
from loop.propose import propose_batch
from loop.retrain import retrain
from loop.review import approve
from loop.services import build
from loop.status import campaign_status

CAMPAIGN = """
name = "first"
goal = "maximize"
seed = 1

[library]
perturbagens = "genes.csv"
contexts = ["K562"]
order = [1, 2]

[readout]
name = "growth"
unit = "sd"
direction = "up"
threshold = 1.0
normalize = "subtract-negative"

[batch]
size = 48

[lab]
adapter = "simulated"
plate = 96
"""


def main() -> None:
    """Two rounds over forty genes, alone and in pairs."""
    services = build(origin="example")
    folder = services.settings.home / "first-campaign"
    folder.mkdir(parents=True, exist_ok=True)
    genes = "\n".join(f"gene{number},gene" for number in range(40))
    Path(folder / "genes.csv").write_text(f"id,kind\n{genes}\n")
    Path(folder / "campaign.toml").write_text(CAMPAIGN)
    made = initialize(services, folder / "campaign.toml")
    print(f"{made.candidates} candidates")
    for _ in range(2):
        batch = propose_batch(services, "first")
        print(f"{batch.id}: {batch.choices[-1].perturbation.key}. {batch.choices[-1].reason}")
        approve(services, batch.id)
        dispatch_batch(services, batch.id)
        collect_results(services, "first")
        print(retrain(services, "first").snapshot.verdict)
    status = campaign_status(services, "first")
    print(f"{status.tested} tested, {status.hits} hits; {status.next_step}")


if __name__ == "__main__":
    main()
