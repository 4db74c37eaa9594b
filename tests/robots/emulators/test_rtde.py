"""RTDE packets there and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tinyvla_gym.robots.emulators import rtde


@given(st.lists(st.tuples(st.integers(0, 255), st.binary(max_size=50))), st.integers(1, 7))
def test_packets_survive_any_cutting(packets, size: int) -> None:
    stream = b"".join(rtde.packet(kind, payload) for kind, payload in packets)
    buffer, found = bytearray(), []

    for start in range(0, len(stream), size):
        buffer += stream[start : start + size]
        found += rtde.split_packets(buffer)

    assert found == packets
    assert not buffer


def test_a_packet_without_size_is_an_error_and_no_endless_loop() -> None:
    with pytest.raises(ValueError, match="cannot be 0 bytes"):
        list(rtde.split_packets(bytearray(3)))


def test_values_are_packed_by_their_types() -> None:
    recipe = rtde.Recipe(["timestamp", "actual_q", "robot_mode", "no_such_field"])
    values = {"timestamp": 1.5, "actual_q": (1.0, 2.0, 3.0, 4.0, 5.0, 6.0), "robot_mode": -7}

    packed = recipe.pack(values)

    assert recipe.types == ("DOUBLE", "VECTOR6D", "INT32", "NOT_FOUND")
    assert len(packed) == 8 + 48 + 4
    assert recipe.unpack(packed) == values
    assert recipe.unpack(recipe.pack({})) == {
        "timestamp": 0.0,
        "actual_q": (0.0,) * 6,
        "robot_mode": 0,
    }


@pytest.mark.parametrize(
    ("name", "kind"),
    [("input_int_register_24", "INT32"), ("output_double_register_3", "DOUBLE"),
     ("input_bit_register_70", "BOOL"), ("output_bit_registers0_to_31", "UINT32")],
)  # fmt: skip
def test_registers_have_types(name: str, kind: str) -> None:
    assert rtde.type_of(name) == kind
