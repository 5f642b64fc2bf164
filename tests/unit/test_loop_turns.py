"""The turns of the event loop: what is a stall, by which clock, and for how long it is told."""

import asyncio
from collections.abc import Callable

from ivrd.loop_turns import CPU, STALL_S, WALL, WINDOW_S, LoopTurns


class Hands:
    """Two clocks that stand until they are moved."""

    def __init__(self) -> None:
        self.wall_s = 100.0
        self.cpu_s = 1.0

    def work(self, seconds: float) -> None:
        self.wall_s += seconds
        self.cpu_s += seconds

    def stand_aside(self, seconds: float) -> None:
        """Let somebody else have the processor."""
        self.wall_s += seconds


def played(hands: Hands, *callbacks: Callable[[], None]) -> LoopTurns:
    """Run a loop in which each callback has a turn of its own."""
    turns = LoopTurns(wall=lambda: hands.wall_s, cpu=lambda: hands.cpu_s)

    async def play() -> None:
        for callback in callbacks:
            await asyncio.sleep(0)
            callback()

    with asyncio.Runner(loop_factory=turns.new_loop) as runner:
        runner.run(play())
    return turns


def test_a_turn_of_the_limit_is_no_stall_and_a_longer_one_is() -> None:
    hands = Hands()
    turns = played(hands, lambda: hands.work(STALL_S - 0.001), lambda: hands.work(STALL_S + 0.001))
    assert turns.stalls() == {(WALL,): 1, (CPU,): 1}
    assert {key: round(value, 6) for key, value in turns.longest().items()} == {
        (WALL,): 0.051,
        (CPU,): 0.051,
    }


def test_a_crowded_machine_is_told_from_our_own_work() -> None:
    hands = Hands()

    def crowded() -> None:
        hands.stand_aside(0.2)
        hands.work(0.01)

    turns = played(hands, crowded)
    assert turns.stalls() == {(WALL,): 1, (CPU,): 0}


def test_callbacks_of_one_turn_count_together() -> None:
    hands = Hands()

    def both() -> None:
        loop = asyncio.get_running_loop()
        loop.call_soon(hands.work, 0.03)
        loop.call_soon(hands.work, 0.03)

    turns = played(hands, both, lambda: None, lambda: None)
    assert turns.stalls() == {(WALL,): 1, (CPU,): 1}


def test_waiting_for_sockets_is_no_turn() -> None:
    hands = Hands()
    turns = LoopTurns(wall=lambda: hands.wall_s, cpu=lambda: hands.cpu_s)
    for _ in range(3):
        hands.stand_aside(10.0)
        turns.begin()
        turns.end()
    assert turns.stalls() == {(WALL,): 0, (CPU,): 0}
    assert turns.longest() == {(WALL,): 0.0, (CPU,): 0.0}


def test_the_longest_turn_is_told_for_a_while_and_then_forgotten() -> None:
    hands = Hands()
    turns = LoopTurns(wall=lambda: hands.wall_s, cpu=lambda: hands.cpu_s)

    def turn(seconds: float) -> float:
        turns.begin()
        hands.work(seconds)
        turns.end()
        return round(turns.longest()[(WALL,)], 6)

    assert turn(0.2) == 0.2
    hands.stand_aside(WINDOW_S)
    assert turn(0.1) == 0.2, "told for one window more"
    hands.stand_aside(WINDOW_S)
    assert turn(0.01) == 0.01
    assert turns.stalls()[(WALL,)] == 2, "and counted for ever"
