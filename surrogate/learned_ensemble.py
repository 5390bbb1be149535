"""What an ensemble has learned, and the same as plain data."""

import copy
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from loop.ports.arrays import Belief, FloatArray, SurrogateState
from surrogate.manipulator import Shape
from surrogate.members import Members
from surrogate.out_of_bag import Reliability
from surrogate.path_scales import PathScales
from surrogate.placement import Placement
from surrogate.plain_arrays import floats
from surrogate.readout_scale import ReadoutScale
from surrogate.representation.whitening import Whitenings

_NETWORK = "network."


@dataclass(frozen=True, slots=True)
class LearnedEnsemble:
    """All that fitting leaves behind.

    `bag` and `mask_seed` fix for life which member sees which well. `logs` are log variances of
    the set kernel's parts, shape (m, parts + 1). `reliability` and `out_of_fold` come from the
    last fit.
    """

    members: Members
    whitenings: Whitenings
    scale: ReadoutScale
    logs: Tensor
    bag: float
    mask_seed: int
    reliability: Reliability
    out_of_fold: Belief

    def continued(
        self,
        scale: ReadoutScale,
        scales: PathScales,
        met: Tensor,
        generator: torch.Generator,
        placement: Placement,
    ) -> Members:
        """A copy of the members in new units and scales; it predicts what they predicted.

        Perturbagens that are `met` for the first time get parameters of their own.
        """
        members = copy.deepcopy(self.members)
        members.decoder.rescale(
            placement.tensor(self.scale.sd / scale.sd),
            placement.tensor((self.scale.mean - scale.mean) / scale.sd),
        )
        members.rescale(scales)
        members.manipulator.meet(met, generator)
        return members

    def packed(self) -> SurrogateState:
        """As plain data."""
        network = {
            _NETWORK + name: tensor.detach().cpu().numpy().copy()
            for name, tensor in self.members.state_dict().items()
        }
        arrays: dict[str, npt.NDArray[np.generic]] = {
            **network,
            **self.whitenings.arrays(),
            "scale.mean": self.scale.mean,
            "scale.sd": self.scale.sd,
            "logs": self.logs.numpy(),
            **_arrays_of("reliability", self.reliability),
            **_arrays_of("out_of_fold", self.out_of_fold),
        }
        settings = {
            "shape": asdict(self.members.shape),
            "scales": asdict(self.members.scales),
            "bag": self.bag,
            "mask_seed": self.mask_seed,
        }
        return SurrogateState(arrays, settings)

    @classmethod
    def unpacked(cls, state: SurrogateState, placement: Placement) -> "LearnedEnsemble":
        """The inverse of `packed`, on a device of one's own."""
        arrays, settings = state.arrays, state.settings
        network = {
            name.removeprefix(_NETWORK): torch.as_tensor(np.array(array))
            for name, array in arrays.items()
            if name.startswith(_NETWORK)
        }
        # Snapshots of 0.1.0 do not say which contexts had been met: then all count as met.
        contexts = network["contexts"]
        network.setdefault("manipulator.unmet", contexts.new_zeros(len(contexts), 1))
        shape = Shape(**_mapping(settings["shape"]))
        scales = _mapping(settings["scales"])
        # Nor had they a path for prior evidence.
        for part in ("weight", "start"):
            none = contexts.new_zeros(shape.members, 0, shape.state)
            network.setdefault(f"manipulator.heed.{part}", none)
        home = network["manipulator.home"]
        seen = torch.nonzero(home < network["manipulator.own_effect"].shape[1]).flatten()
        members = Members(
            shape,
            PathScales(**{**scales, "prior": tuple(scales.get("prior", ()))}),
            contexts,
            seen,
            torch.Generator(),
        )
        members.load_state_dict(network)
        return cls(
            members.to(placement.device, placement.dtype),
            Whitenings.of_arrays(arrays),
            ReadoutScale(floats(arrays["scale.mean"]), floats(arrays["scale.sd"])),
            torch.as_tensor(floats(arrays["logs"])),
            float(str(settings["bag"])),
            int(str(settings["mask_seed"])),
            Reliability(*_parts_of("reliability", Reliability, arrays)),
            Belief(*_parts_of("out_of_fold", Belief, arrays)),
        )


def _arrays_of(prefix: str, parts: Reliability | Belief) -> dict[str, npt.NDArray[np.generic]]:
    return {f"{prefix}.{each.name}": getattr(parts, each.name) for each in fields(parts)}


def _parts_of(
    prefix: str,
    kind: type[Reliability] | type[Belief],
    arrays: Mapping[str, npt.NDArray[np.generic]],
) -> list[FloatArray]:
    return [floats(arrays[f"{prefix}.{each.name}"]) for each in fields(kind)]


def _mapping(value: object) -> dict[str, Any]:
    if not isinstance(value, Mapping):
        msg = f"expected a mapping, not {value!r}"
        raise TypeError(msg)
    return dict(value)
