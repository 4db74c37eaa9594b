"""Where training computes: a device's name, checked before anything is read or written."""

import torch

from tinyvla_gym.errors import ConfigError


def check_device(name: str) -> None:
    """Refuses a device that this machine does not have.

    Args:
        name: Such as ``cpu``, ``cuda`` or ``cuda:1``.

    Raises:
        ConfigError: It says what there is.
    """
    accelerator = torch.accelerator.current_accelerator()
    count = torch.accelerator.device_count()
    known = [f"{accelerator.type}:{index}" for index in range(count)] if accelerator else []
    try:
        found = torch.device(name)
    except RuntimeError:  # no name of a device at all
        found = None
    if found is not None and found.type == "cpu":
        return
    if found is None or f"{found.type}:{found.index or 0}" not in known:
        raise ConfigError(
            f"There is no device {name!r} here. Choose one of: {', '.join(['cpu', *known])}."
        )
