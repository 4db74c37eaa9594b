"""Rigs in virtual time: simulated arms, small synthetic cameras."""

from dataclasses import replace


def simulated(rig, size=24):
    """The same rig with simulated arms and small synthetic cameras."""
    arms = [replace(arm, driver="simulated") for arm in rig.arms]
    return replace(with_synthetic_cameras(rig, size), arms=tuple(arms), serial="SIM-1")


def with_synthetic_cameras(rig, size=24):
    """The same rig with small synthetic cameras."""
    cameras = [replace(one, kind="synthetic", height=size, width=size) for one in rig.cameras]
    return replace(rig, cameras=tuple(cameras))
