"""The other side of the `baybe` peer: run by the interpreter that has BayBE, and by nothing else.

`python -P baybe_worker.py COLUMNS.npy`: one JSON line in for each request, one out for each answer.
`{"measured": [[address, value], ...], "size": q, "seed": s}` is answered by `{"chosen": [...]}`;
`measured` holds all there is, since each request is a campaign of its own.
"""

import contextlib
import json
import sys
import warnings


def main() -> None:
    """Answer until standard input ends."""
    warnings.simplefilter("ignore")
    # Whatever BayBE prints must not stand between the answers.
    with contextlib.redirect_stdout(sys.stderr):
        import numpy as np
        import pandas as pd  # type: ignore[import-untyped]
        from baybe import Campaign  # type: ignore[import-not-found]
        from baybe.parameters import CustomDiscreteParameter  # type: ignore[import-not-found]
        from baybe.searchspace import SearchSpace  # type: ignore[import-not-found]
        from baybe.settings import Settings  # type: ignore[import-not-found]
        from baybe.targets import NumericalTarget  # type: ignore[import-not-found]

        columns = np.load(sys.argv[1])
        names = [str(address) for address in range(len(columns))]
        titles = [f"f{column}" for column in range(columns.shape[1])]
        described = pd.DataFrame(columns, index=names, columns=titles)
        well = CustomDiscreteParameter(name="well", data=described, decorrelate=False)
        space, objective = SearchSpace.from_product([well]), NumericalTarget("y").to_objective()
    answers = sys.stdout
    for line in sys.stdin:
        asked = json.loads(line)
        with contextlib.redirect_stdout(sys.stderr):
            Settings(random_seed=asked["seed"]).activate()
            wells = [str(address) for address, _ in asked["measured"]]
            values = [value for _, value in asked["measured"]]
            campaign = Campaign(space, objective, allow_recommending_already_measured=False)
            campaign.add_measurements(pd.DataFrame({"well": wells, "y": values}))
            chosen = campaign.recommend(asked["size"])["well"]
        print(json.dumps({"chosen": [int(each) for each in chosen]}), file=answers, flush=True)


if __name__ == "__main__":
    main()
