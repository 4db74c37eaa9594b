"""Where emulated controllers may listen: on this computer, and nowhere else."""

import ipaddress

from tinyvla_gym.errors import ConfigError


def check_loopback(address: str) -> str:
    """Gives a loopback address back.

    Raises:
        ConfigError: If it is another address: somebody's network is not a place for emulators.
    """
    try:
        if ipaddress.ip_address(address).is_loopback:
            return address
    except ValueError:
        pass  # not an address at all
    raise ConfigError(f"An emulator listens on loopback addresses only, not on {address}.")
