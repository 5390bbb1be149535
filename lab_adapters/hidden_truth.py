"""The hidden truth of the simulated lab: what each perturbation does, before any noise.

Perturbagens belong to modules (pathways, complexes). What one does alone, and what several do
together, follows mostly from their modules, so that there is something to learn; the rest is
each one's own, or a surprise of that very set. The control's effect is 0.

Shape letters: N perturbations, P perturbagens, k slots, K modules, R programmes.
"""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import numpy.typing as npt

from loop.domain.perturbation import Dose, Perturbation
from loop.ports.arrays import FloatArray, IntArray

_Words = npt.NDArray[np.uint64]

_PROGRAMMES = 6
_MODULE_EFFECT_SD = 0.25
_OWN_EFFECT_SD = 0.25
_MODULE_PAIR_SD = 0.6
_INTERACTING_SHARE = 0.25
_PROGRAMME_SD = 0.6
_SURPRISE_SHARE = 0.03
_SURPRISE_SCALE = 1.0
_CONTEXT_SHARE = 0.4
_CEILING = 5.0
_IN_MICROMOLAR = {"pM": 1e-6, "nM": 1e-3, "uM": 1.0, "µM": 1.0, "μM": 1.0, "mM": 1e3, "M": 1e6}


def seeded(*parts: str | int) -> np.random.Generator:
    """A generator that depends on these words alone, not on what was drawn before."""
    words = "\x1f".join(str(part) for part in parts).encode()
    entropy = np.frombuffer(hashlib.sha256(words).digest(), dtype="<u4")
    return np.random.default_rng(np.random.SeedSequence(entropy.tolist()))


@dataclass(frozen=True, slots=True)
class _Traits:
    """What is so of one perturbagen in every context and for every readout.

    `factors` are its loadings on the modules, shape (K,): one large, the others small.
    """

    factors: FloatArray
    half_dose: float
    steepness: float
    identity: int


@dataclass(frozen=True, slots=True)
class _Rules:
    """What modules do, for one readout in one context.

    `main`, shape (K,); `pair`, shape (K, K), symmetric and sparse; `programmes`, shape (K, R),
    and `programme_effects`, shape (R,), drive sets of three and more.
    """

    main: FloatArray
    pair: FloatArray
    programmes: FloatArray
    programme_effects: FloatArray


@dataclass(frozen=True, slots=True)
class _Members:
    """The perturbagens of N perturbations in one context.

    `slots` are rows of the other arrays, shape (N, k), the last row standing for nobody;
    `shares` are how much of the full effect the dose gives, shape (N, k), 0 in empty slots.
    """

    slots: IntArray
    shares: FloatArray
    factors: FloatArray
    identities: _Words
    own: FloatArray


@dataclass(frozen=True, slots=True)
class HiddenTruth:
    """What every perturbation does, as a function of the seed and the perturbation alone.

    Every draw hangs on a hash of the seed and of the names it concerns (perturbagen, readout,
    context), so neither the order of questions nor what else is asked changes an answer.

    effect = ceiling(main effects + pairs of modules + programmes of three and more + surprises):

    - main: loadings on the modules times the modules' effects, and a heavy-tailed (Student t)
      part of the perturbagen's own;
    - pairs: f_a' W f_b with a sparse symmetric W between modules, Student t entries;
    - three and more: elementary symmetric polynomials of the loadings on a few programmes;
    - surprises: a few sets have a Laplace-distributed effect that nothing predicts;
    - a context changes part of all of these; a dose scales by a Hill curve in log dose.
    """

    seed: int
    modules: int

    def effects(self, perturbations: Sequence[Perturbation], readout: str) -> FloatArray:
        """The noise-free effects, shape (N,), in SDs of a typical pair.

        Cost: about 0.1 ms for each perturbagen and context, and 10 us for each perturbation.
        """
        effects = np.zeros(len(perturbations))
        contexts = [each.context for each in perturbations]
        for context in dict.fromkeys(contexts):
            rows = [row for row, each in enumerate(contexts) if each == context]
            members = self._members([perturbations[row] for row in rows], readout, context)
            rules = self._rules(readout, context)
            total = (
                _main(members, rules)
                + _pairs(members, rules)
                + _programmes(members, rules)
                + _surprises(members, seeded(self.seed, "surprise", readout, context))
            )
            # Rounded, because sums in another shape may differ in their last bits.
            effects[rows] = (_CEILING * np.tanh(total / _CEILING)).round(9)
        return effects

    def factors(self, perturbagens: Sequence[str]) -> FloatArray:
        """The loadings on the modules, shape (P, K): what an ideal embedding would tell."""
        return np.stack([self._traits(name).factors for name in perturbagens])

    def _traits(self, perturbagen: str) -> _Traits:
        rng = seeded(self.seed, "perturbagen", perturbagen)
        factors = rng.normal(0.0, 0.2, self.modules)
        factors[rng.integers(self.modules)] += rng.lognormal(0.0, 0.5)
        return _Traits(
            factors=factors,
            half_dose=float(10.0 ** rng.uniform(-1.0, 1.0)),
            steepness=float(rng.uniform(0.8, 2.5)),
            identity=int(rng.integers(2**63)),
        )

    def _own(self, perturbagens: Sequence[str], readout: str, *context: str) -> FloatArray:
        draws = [
            seeded(self.seed, "own", readout, *context, "of", each).standard_t(4.0)
            for each in perturbagens
        ]
        return _OWN_EFFECT_SD * np.array([*draws, 0.0])

    def _rules(self, readout: str, context: str) -> _Rules:
        common = self._drawn_rules(seeded(self.seed, "rules", readout))
        here = self._drawn_rules(seeded(self.seed, "rules", readout, context))
        return _Rules(
            main=_mixed(common.main, here.main),
            pair=_mixed(common.pair, here.pair),
            programmes=common.programmes,
            programme_effects=_mixed(common.programme_effects, here.programme_effects),
        )

    def _drawn_rules(self, rng: np.random.Generator) -> _Rules:
        k = self.modules
        upper = np.triu(rng.standard_t(4.0, (k, k)) * (rng.random((k, k)) < _INTERACTING_SHARE))
        return _Rules(
            main=_MODULE_EFFECT_SD * rng.standard_normal(k),
            pair=_MODULE_PAIR_SD * (upper + np.triu(upper, 1).T),
            programmes=(rng.random((k, _PROGRAMMES)) < 3.0 / k).astype(np.float64),
            programme_effects=_PROGRAMME_SD * rng.standard_normal(_PROGRAMMES),
        )

    def _members(
        self, perturbations: Sequence[Perturbation], readout: str, context: str
    ) -> _Members:
        names = sorted({part.perturbagen for each in perturbations for part in each.components})
        rows = {name: row for row, name in enumerate(names)}
        traits = [self._traits(name) for name in names]
        order = max((each.order for each in perturbations), default=0)
        slots = np.full((len(perturbations), order), len(names), dtype=np.int64)
        shares = np.zeros(slots.shape)
        for number, each in enumerate(perturbations):
            for slot, part in enumerate(each.components):
                row = rows[part.perturbagen]
                slots[number, slot] = row
                shares[number, slot] = _dose_share(part.dose, traits[row])
        nobody = np.zeros((1, self.modules))
        return _Members(
            slots=slots,
            shares=shares,
            factors=np.concatenate([*(each.factors[None] for each in traits), nobody]),
            identities=np.array([*(each.identity for each in traits), 0], dtype=np.uint64),
            own=_mixed(self._own(names, readout), self._own(names, readout, context)),
        )


def _mixed(common: FloatArray, here: FloatArray) -> FloatArray:
    """What is so everywhere and what is so here only, at the variance of either."""
    return math.sqrt(1.0 - _CONTEXT_SHARE) * common + math.sqrt(_CONTEXT_SHARE) * here


def _dose_share(dose: Dose | None, traits: _Traits) -> float:
    """Hill's curve: 0 with nothing, one half at the half dose, near 1 with plenty."""
    if dose is None:
        return 1.0
    amount = dose.value * _IN_MICROMOLAR.get(dose.unit, 1.0)
    relative = (traits.half_dose / amount) ** traits.steepness
    return float(1.0 / (1.0 + relative))


def _main(members: _Members, rules: _Rules) -> FloatArray:
    alone = members.factors @ rules.main + members.own
    return np.asarray((members.shares * alone[members.slots]).sum(axis=1))


def _pairs(members: _Members, rules: _Rules) -> FloatArray:
    total = np.zeros(len(members.slots))
    through = members.factors @ rules.pair
    for a, b in combinations(range(members.slots.shape[1]), 2):
        one, other = members.slots[:, a], members.slots[:, b]
        together = np.einsum("nk,nk->n", through[one], members.factors[other])
        total += members.shares[:, a] * members.shares[:, b] * together
    return total


def _programmes(members: _Members, rules: _Rules) -> FloatArray:
    """Elementary symmetric polynomials of degree 3 and more, weighted less with each degree."""
    order = members.slots.shape[1]
    loadings = np.tanh(members.factors @ rules.programmes)
    polynomials = np.zeros((order + 1, len(members.slots), loadings.shape[1]))
    polynomials[0] = 1.0
    for slot in range(order):
        here = members.shares[:, slot, None] * loadings[members.slots[:, slot]]
        polynomials[1:] += here * polynomials[:-1]
    weights = 0.7 ** np.arange(max(order - 2, 0))
    total = np.einsum("s,snr,r->n", weights, polynomials[3:], rules.programme_effects)
    return np.asarray(total)


def _surprises(members: _Members, salt: np.random.Generator) -> FloatArray:
    """Few sets of two or more, picked by a hash of who is in them, and heavy in the tails."""
    somebody = members.slots < len(members.own) - 1
    salted = members.identities[members.slots].sum(axis=1, dtype=np.uint64)
    salted = _scrambled(salted + np.uint64(salt.integers(2**63)))
    picked = (somebody.sum(axis=1) >= 2) & (_uniform(salted) < _SURPRISE_SHARE)
    spread = _uniform(_scrambled(salted)) - 0.5
    laplace = -np.sign(spread) * np.log1p(-2.0 * np.abs(spread))
    present = np.where(somebody, members.shares, 1.0).prod(axis=1)
    return np.asarray(_SURPRISE_SCALE * picked * laplace * present)


def _scrambled(words: _Words) -> _Words:
    """SplitMix64's finalizer (Steele, Lea, Flood 2014): every input bit moves every output bit."""
    words = (words ^ (words >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    words = (words ^ (words >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return words ^ (words >> np.uint64(31))


def _uniform(words: _Words) -> FloatArray:
    """Numbers strictly between 0 and 1."""
    return np.asarray(((words >> np.uint64(12)).astype(np.float64) + 0.5) / 2.0**52)
