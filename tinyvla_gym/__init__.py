"""TinyVLA as a Gymnasium toolkit: simulated and real arms, and policies that drive them."""

import importlib
from typing import TYPE_CHECKING, Any

from tinyvla_gym.envs.registration import register_all

if TYPE_CHECKING:
    from tinyvla_gym.chunking import ExpertAgent, RecedingHorizon, TemporalEnsemble
    from tinyvla_gym.evaluation.evaluate import Protocol, evaluate
    from tinyvla_gym.live import LiveListener
    from tinyvla_gym.loop import rollout, rollouts
    from tinyvla_gym.policies.load import load_policy
    from tinyvla_gym.video import VideoListener

__version__ = "0.1.0"

_HOMES = {  # public name -> where it lives; imported at first use, so that importing stays light
    "ExpertAgent": "tinyvla_gym.chunking",
    "LiveListener": "tinyvla_gym.live",
    "Protocol": "tinyvla_gym.evaluation.evaluate",
    "RecedingHorizon": "tinyvla_gym.chunking",
    "TemporalEnsemble": "tinyvla_gym.chunking",
    "VideoListener": "tinyvla_gym.video",
    "evaluate": "tinyvla_gym.evaluation.evaluate",
    "load_policy": "tinyvla_gym.policies.load",
    "rollout": "tinyvla_gym.loop",
    "rollouts": "tinyvla_gym.loop",
}

__all__ = [
    "ExpertAgent",
    "LiveListener",
    "Protocol",
    "RecedingHorizon",
    "TemporalEnsemble",
    "VideoListener",
    "evaluate",
    "load_policy",
    "rollout",
    "rollouts",
]

register_all()


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'tinyvla_gym' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)
