"""Registry of policies by their names in the settings: `make_policy`."""

from __future__ import annotations

from memory.stream.options import StreamOptions
from memory.stream.policies.baselines import LastN, Reservoir, Uniform
from memory.stream.policies.curvestream import CurveStream
from memory.stream.policies.policy import Policy


def make_policy(options: StreamOptions) -> Policy:
    """Build the policy that `options.policy` names.

    `curvestream` scores motion and curvature; `motion` and `curvature` score one of them alone; `last` keeps the newest
    frames; `uniform` and `alternate` spread over the whole stream; `random` is a uniform sample of it.
    """
    match options.policy:
        case "curvestream":
            return CurveStream(options)
        case "motion":
            return CurveStream(options, motion_weight=1.0, curvature_weight=0.0)
        case "curvature":
            return CurveStream(options, motion_weight=0.0, curvature_weight=1.0)
        case "last":
            return LastN()
        case "uniform":
            return Uniform(alternate=False)
        case "alternate":
            return Uniform(alternate=True)
        case "random":
            return Reservoir(options.capacity, options.seed)
