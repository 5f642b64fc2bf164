"""Ports of the lab are kept apart between everything that runs at the same time."""

import socket

from tests.lab.ports import LOOPBACK, reserve_port, reserve_range


def test_reserved_ports_differ_until_released() -> None:
    leases = [reserve_port() for _ in range(20)]
    try:
        assert len({lease.first for lease in leases}) == 20
    finally:
        for lease in leases:
            lease.release()


def test_released_port_is_reserved_again() -> None:
    def is_reserved_again() -> bool:
        first = reserve_port()
        first.release()
        first.release()
        again = reserve_port()
        again.release()
        return again.first == first.first

    # Another run of the lab may take it in between, and not each time.
    assert any(is_reserved_again() for _ in range(10))


def test_ranges_do_not_overlap_and_start_even() -> None:
    one, two = reserve_range(250), reserve_range(30)
    try:
        assert len(one.numbers) == 250
        assert one.first % 2 == 0
        assert two.first % 2 == 0
        assert not set(one.numbers) & set(two.numbers)
    finally:
        one.release()
        two.release()


def test_port_that_another_program_holds_is_passed_over() -> None:
    free = reserve_port()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((LOOPBACK, free.first))
        free.release()  # Only now, or another run of the lab might bind it first.
        lease = reserve_port()
        lease.release()
    assert lease.first != free.first
