"""How a typical candidate is rated."""

import numpy as np
import torch

from acquisition.belief.beliefs import Beliefs
from acquisition.limits.offer import Survey, is_in
from acquisition.scan import Utility
from loop.ports.engine import BatchRequest

_DRAWN = 512


def typical_utility(request: BatchRequest, beliefs: Beliefs, utility: Utility, salt: int) -> float:
    """The median utility of up to 512 candidates drawn at random; NaN if none of them is left."""
    survey = Survey(len(request.space), _DRAWN, salt)
    addresses = survey.addresses(0, len(survey))
    addresses = addresses[~is_in(addresses, request.taken)]
    drawn = request.space.unrank(addresses)
    drawn = drawn[request.space.permitted(drawn)]
    if not len(drawn):
        return float("nan")
    with torch.no_grad():
        return float(np.median(utility(beliefs.marginals(drawn)).double().cpu().numpy()))
