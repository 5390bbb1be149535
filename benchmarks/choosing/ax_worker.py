"""The other side of the Ax peer: run by the interpreter that has Ax, and by nothing else.

One JSON line in, `{"perturbagens": P, "wells": [[a, b], ...], "values": [...], "size": q}`, one
out, `{"chosen": [[a, b], ...]}`. Ax knows no list of candidates and no unordered pairs, so a pair
is two unordered choices of one perturbagen each.
"""

import contextlib
import json
import sys
import warnings


def main() -> None:
    """Answer once."""
    warnings.simplefilter("ignore")
    asked = json.loads(sys.stdin.readline())
    # Whatever Ax prints must not stand between the answers.
    with contextlib.redirect_stdout(sys.stderr):
        from ax.api.client import Client  # type: ignore[import-not-found]
        from ax.api.configs import ChoiceParameterConfig  # type: ignore[import-not-found]

        names = [f"p{place}" for place in range(asked["perturbagens"])]
        sides = [
            ChoiceParameterConfig(name=side, values=names, parameter_type="str", is_ordered=False)
            for side in ("a", "b")
        ]
        client = Client(random_seed=1)
        client.configure_experiment(name="pairs", parameters=sides)
        client.configure_optimization(objective="y")
        for (first, second), value in zip(asked["wells"], asked["values"], strict=True):
            index = client.attach_trial({"a": names[first], "b": names[second]})
            client.complete_trial(index, raw_data={"y": value})
        trials = client.get_next_trials(max_trials=asked["size"])
        chosen = [[int(each["a"][1:]), int(each["b"][1:])] for each in trials.values()]
    print(json.dumps({"chosen": chosen}), flush=True)


if __name__ == "__main__":
    main()
