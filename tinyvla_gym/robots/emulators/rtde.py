"""Universal Robots' Real-Time Data Exchange: packets, types and the names of its fields.

Protocol version 2, big-endian; a packet is its size (uint16, header included), a type (uint8),
and a payload.
"""

import re
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

REQUEST_VERSION = ord("V")
CONTROLLER_VERSION = ord("v")
OUTPUTS = ord("O")
INPUTS = ord("I")
START = ord("S")
PAUSE = ord("P")
DATA = ord("U")
MESSAGE = ord("M")

_HEADER = struct.Struct(">HB")
_FORMATS = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT32": "I",
    "UINT64": "Q",
    "INT32": "i",
    "DOUBLE": "d",
    "VECTOR3D": "3d",
    "VECTOR6D": "6d",
    "VECTOR6INT32": "6i",
    "VECTOR6UINT32": "6I",
}
_NAMES = {  # type: fields
    "DOUBLE": (
        "timestamp actual_execution_time speed_scaling target_speed_fraction actual_momentum "
        "actual_main_voltage actual_robot_voltage actual_robot_current tcp_force_scalar payload "
        "standard_analog_input0 standard_analog_input1 standard_analog_output0 "
        "standard_analog_output1 standard_analog_output_0 standard_analog_output_1 io_current "
        "tool_analog_input0 tool_analog_input1 tool_output_current tool_temperature "
        "speed_slider_fraction"
    ),
    "VECTOR6D": (
        "target_q target_qd target_qdd target_current target_moment actual_q actual_qd "
        "actual_current joint_control_output actual_TCP_pose actual_TCP_speed actual_TCP_force "
        "target_TCP_pose target_TCP_speed joint_temperatures actual_joint_voltage "
        "payload_inertia ft_raw_wrench external_force_torque"
    ),
    "VECTOR3D": "actual_tool_accelerometer elbow_position elbow_velocity payload_cog",
    "VECTOR6INT32": "joint_mode",
    "UINT64": "actual_digital_input_bits actual_digital_output_bits",
    "INT32": "robot_mode safety_mode safety_status tool_output_voltage",
    "UINT32": (
        "runtime_state robot_status_bits safety_status_bits analog_io_types tool_mode "
        "output_bit_registers0_to_31 output_bit_registers32_to_63 input_bit_registers0_to_31 "
        "input_bit_registers32_to_63 speed_slider_mask"
    ),
    "UINT8": (
        "standard_digital_output_mask standard_digital_output configurable_digital_output_mask "
        "configurable_digital_output tool_digital_output_mask tool_digital_output "
        "standard_analog_output_mask standard_analog_output_type"
    ),
}
_TYPES = {name: kind for kind, names in _NAMES.items() for name in names.split()}
_REGISTER = re.compile(r"(?:in|out)put_(bit|int|double)_register_\d+")
_REGISTER_TYPES = {"bit": "BOOL", "int": "INT32", "double": "DOUBLE"}


def type_of(name: str) -> str:
    """The type of a field, or ``NOT_FOUND``."""
    register = _REGISTER.fullmatch(name)
    if register:
        return _REGISTER_TYPES[register[1]]
    return _TYPES.get(name, "NOT_FOUND")


def packet(kind: int, payload: bytes = b"") -> bytes:
    """One packet, ready to be sent."""
    return _HEADER.pack(_HEADER.size + len(payload), kind) + payload


def split_packets(buffer: bytearray) -> Iterator[tuple[int, bytes]]:
    """Takes the complete packets off the front of a buffer: type and payload of each."""
    while len(buffer) >= _HEADER.size:
        size, kind = _HEADER.unpack_from(buffer)
        if size < _HEADER.size:
            raise ValueError(f"an RTDE packet cannot be {size} bytes long")
        if len(buffer) < size:
            return
        payload = bytes(buffer[_HEADER.size : size])
        del buffer[:size]
        yield kind, payload


class Recipe:
    """An agreed list of fields, and how they are packed one after another."""

    def __init__(self, names: Sequence[str]) -> None:
        """Looks the types up; a field that is unknown is packed as nothing."""
        self.names = tuple(names)
        self.types = tuple(type_of(name) for name in names)
        formats = [_FORMATS.get(kind, "") for kind in self.types]
        self._structs = [struct.Struct(">" + one) for one in formats]

    def pack(self, values: Mapping[str, Any]) -> bytes:
        """Packs values by name; what has no value is zero."""
        parts = []
        for name, one in zip(self.names, self._structs, strict=True):
            value = values.get(name)
            if value is None:
                parts.append(bytes(one.size))
            else:
                parts.append(one.pack(*value) if isinstance(value, tuple) else one.pack(value))
        return b"".join(parts)

    def unpack(self, payload: bytes) -> dict[str, Any]:
        """Reads values by name."""
        values, place = {}, 0
        for name, one in zip(self.names, self._structs, strict=True):
            found = one.unpack_from(payload, place)
            place += one.size
            if found:
                values[name] = found[0] if len(found) == 1 else found
        return values
