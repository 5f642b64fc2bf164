"""A caller's whole way in: all that is heard, typed and chosen, from the dialled number to the end.

Here: what the dialplan does with a caller (dialplan/lines.py, targets.py, queues.py), as one walk
that asks for a key when it needs one. Not here: what a key does in one menu (menu.py), when it is
open (hours.py), and what happens once a caller waits: agents, moves, time-outs, closing time.

This is what `ivrd menu try` shows, and what the dialplan on a real Asterisk is compared with.
Nothing changes meanwhile: hours, notices and what is forced are those of one moment.

Rules; each is a step of the dialplan.

1. A closed line plays its closed prompt, then goes to its closed choice, or hangs up. A line in a
   meeting is open: the queues know about meetings.
2. Notices before the menu are heard once, as the line is entered, also when it has no menu; those
   before the queue once, in the first queue that is open.
3. A choice of another menu puts this one on the caller's path, whether by key, silence or failure.
   The back key leads to the last one on it; with an empty path it is a wrong key.
4. A choice of language speaks so from then on, and leads to the menu before, or else to the same
   one. Slow mode leads to the same one.
5. An announcement chosen by key leads to the same menu again; by silence, failure or at a closed
   line the call ends after it.
6. A queue that is closed or in a meeting sends the caller to its catch-all, or else to its
   fallback, or else says that nobody can answer, and ends the call.
7. A key while waiting leads out of the queue, and a menu met so has nothing behind it. Keys that
   the queue does not know are lost.
8. A caller enters `menus_max` menus in one call, the same one again included. The next one gives
   up at once, and leads where failure leads in the end.
"""

from collections import deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from ivrd.core import menu as menus
from ivrd.core.hours import OpeningState
from ivrd.core.menu import MenuOutcome
from ivrd.core.menu_walk import PAUSE
from ivrd.core.route_steps import (
    HANG_UP,
    Answer,
    Chose,
    Ended,
    EndKind,
    Heard,
    HeardAs,
    Left,
    LineWay,
    Listens,
    Met,
    Moment,
    NoticePlace,
    QueueWay,
    Route,
    Step,
    TurnedAway,
    Waits,
    WayIn,
)
from ivrd.core.targets import (
    Back,
    InLanguage,
    Slowly,
    Target,
    ToAnnouncement,
    ToCallback,
    ToMenu,
    ToNumber,
    ToQueue,
    label_of,
    target_of,
)

SILENCE = "-"
"""In a row of keys: the caller says and types nothing until the menu decides."""

TYPED = menus.KEYS + PAUSE + SILENCE + HANG_UP
"""All that a row of keys consists of."""


Walk = Generator[Step, Answer, None]


def route(way: WayIn, line: str, moment: Moment, keys: str = "") -> Route:
    """Return the way of a caller who types these keys, and then is silent.

    Each digit comes as soon as it is listened to: it interrupts a menu's prompt, and waits for the
    end of all others. Asterisk loses what is typed during those.

    Args:
        way: The configuration.
        line: Its name.
        moment: What holds.
        keys: Of TYPED. PAUSE ends an unfinished key, and changes nothing at any other time.
    """
    unknown = set(keys) - set(TYPED)
    if unknown:
        raise ValueError(f"no keys of a telephone: {''.join(sorted(unknown))!r}")
    rest = deque(keys)
    steps: list[Step] = []
    walker = walk(way, line, moment)
    step = next(walker)
    while not isinstance(step, Ended):
        steps.append(step)
        step = walker.send(answer_from(step, rest))
    return Route(steps=(*steps, step), end=step)


def walk(way: WayIn, line: str, moment: Moment) -> Walk:
    """Walk a caller in: yields each step, takes the answer to it; the last one is `Ended`."""
    met = way.lines[line]
    caller = _Caller(way=way, line=met, moment=moment, language=met.language, is_slow=met.is_slow)
    try:
        place = yield from _arrive(caller)
        while not isinstance(place, Ended):
            if isinstance(place.to, ToMenu):
                place = yield from _in_menu(place.caller, place.to.menu)
            else:
                place = yield from _in_queue(place.caller, place.to.queue)
    except _GoneError as gone:
        place = gone.caller.end(EndKind.HUNG_UP, gone.place)
    yield place


def last_resort(way: WayIn, menu: str) -> Target:
    """Return where failure leads in the end, over all menus on the way; never a menu.

    A circle of menus, which the configuration's checks refuse, ends at the first queue.
    """
    for _ in way.menus:
        one = way.menus[menu]
        target = target_of(one.failure_choice or one.stay_choice)
        if not isinstance(target, ToMenu):
            return target
        menu = target.menu
    return ToQueue(next(iter(way.queues)))


# Walking.


@dataclass(frozen=True, slots=True, kw_only=True)
class _Caller:
    """The channel's variables, and what never changes during the call."""

    way: WayIn
    line: LineWay
    moment: Moment
    language: str
    is_slow: bool
    path: tuple[str, ...] = ()
    """Menus behind this one."""
    menus: int = 0
    has_entered: bool = False
    """A queue that was open; notices before a queue have been heard."""
    turned_away: tuple[str, ...] = ()
    """By these closed queues, one after another."""

    def end(self, kind: EndKind, name: str) -> Ended:
        return Ended(
            kind=kind, name=name, language=self.language, is_slow=self.is_slow, menus=self.menus
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Going:
    caller: _Caller
    to: ToMenu | ToQueue


class _GoneError(Exception):
    """The caller has hung up."""

    def __init__(self, caller: _Caller, place: str) -> None:
        super().__init__(place)
        self.caller = caller
        self.place = place


_Part = Generator[Step, Answer, _Going | Ended]


def _arrive(caller: _Caller) -> _Part:
    line, state = caller.line, caller.moment.line_state
    yield Met(line=line.name, state=state)
    if state is not OpeningState.CLOSED:
        yield from _notices(caller, NoticePlace.BEFORE_MENU)
        return _Going(caller=caller, to=line.first)
    if line.closed_prompt is not None:
        yield from _plays(caller, line.closed_prompt, HeardAs.CLOSED, line.name)
    if line.closed_choice is None:
        return caller.end(EndKind.CLOSED, line.name)
    return (yield from _onward(caller, line.closed_choice, line.name))


def _in_menu(caller: _Caller, name: str) -> _Part:
    caller = replace(caller, menus=caller.menus + 1, turned_away=())
    if caller.menus > caller.way.menus_max:
        target = last_resort(caller.way, name)
        yield _chose(caller, name, MenuOutcome.GAVE_UP, label_of(target))
        return (yield from _onward(caller, target, name))
    menu = caller.way.menus[name].heard_by(is_slow=caller.is_slow, has_back=bool(caller.path))
    step = menus.begin(menu)
    while not isinstance(step.output, menus.Finished):
        told = _told(caller, name, step)
        answer = yield told
        if answer == HANG_UP:
            raise _GoneError(caller, name)
        step = menus.advance(menu, step.state, _input(told, answer))
    finished = step.output
    assert finished.choice is not None, "only a hang-up has none"
    yield _chose(
        caller,
        name,
        finished.outcome,
        finished.choice,
        digit=finished.digit,
        wrong_keys=finished.wrong_keys,
    )
    target = target_of(finished.choice)
    if finished.outcome is MenuOutcome.CHOSEN:
        return (yield from _after_key(caller, target, name))
    return (yield from _after_silence(caller, target, name))


def _told(caller: _Caller, name: str, step: menus.Step) -> Heard | Listens:
    match step.output:
        case menus.Play(prompt=prompt):
            is_wrong = isinstance(step.state, menus.Correcting)
            return Heard(
                prompt=prompt,
                heard_as=HeardAs.INVALID if is_wrong else HeardAs.MENU,
                language=caller.language,
                place=name,
                takes_keys=True,
            )
        case menus.WaitDigit(timeout=timeout):
            typed = step.state.digits if isinstance(step.state, menus.Collecting) else ""
            return Listens(menu=name, timeout=timeout, typed=typed)
        case menus.Finished() | menus.ReportUnexpectedInput():
            raise AssertionError(f"{step.output} was answered")
        case _:
            assert_never(step.output)


def _input(told: Heard | Listens, digit: str | None) -> menus.MenuInput:
    if isinstance(told, Heard):
        return menus.PromptEnded(digit=digit)
    return menus.SilenceEnded() if digit is None else menus.DigitReceived(digit=digit)


def _chose(
    caller: _Caller,
    menu: str,
    outcome: MenuOutcome,
    choice: str,
    *,
    digit: str | None = None,
    wrong_keys: Sequence[str] = (),
) -> Chose:
    return Chose(
        menu=menu,
        outcome=outcome,
        choice=choice,
        digit=digit,
        wrong_keys=tuple(wrong_keys),
        language=caller.language,
    )


def _after_key(caller: _Caller, target: Target, menu: str) -> _Part:
    again = ToMenu(menu)
    match target:
        case ToAnnouncement():
            yield from _plays(caller, target.prompt, HeardAs.ANNOUNCEMENT, menu)
            return _Going(caller=caller, to=again)
        case InLanguage():
            return _back(replace(caller, language=target.language), menu)
        case Slowly():
            return _Going(caller=replace(caller, is_slow=True), to=again)
        case Back():
            return _back(caller, menu)
        case ToMenu():
            return _Going(caller=replace(caller, path=(*caller.path, menu)), to=target)
        case ToQueue() | ToNumber() | ToCallback():
            return (yield from _onward(caller, target, menu))
        case _:
            assert_never(target)


def _after_silence(caller: _Caller, target: Target, menu: str) -> _Part:
    if isinstance(target, ToMenu):
        return (yield from _after_key(caller, target, menu))
    return (yield from _onward(caller, target, menu))


def _back(caller: _Caller, menu: str) -> _Going:
    *path, before = caller.path or (menu,)
    return _Going(caller=replace(caller, path=tuple(path)), to=ToMenu(before))


def _onward(caller: _Caller, target: Target, place: str) -> _Part:
    """Walk to a target that begins nowhere."""
    match target:
        case ToQueue():
            return _Going(caller=caller, to=target)
        case ToMenu():
            return _Going(caller=replace(caller, path=()), to=target)
        case ToNumber():
            return caller.end(EndKind.NUMBER, target.number)
        case ToAnnouncement():
            yield from _plays(caller, target.prompt, HeardAs.ANNOUNCEMENT, place)
            return caller.end(EndKind.SAID, target.prompt)
        case InLanguage() | Slowly() | Back() | ToCallback():
            raise ValueError(f"{place}: {target} leads nowhere by itself")
        case _:
            assert_never(target)


def _in_queue(caller: _Caller, name: str) -> _Part:
    queue = caller.way.queues[name]
    state = caller.moment.queue_states.get(name, OpeningState.OPEN)
    if state is not OpeningState.OPEN:
        return (yield from _elsewhere(caller, queue, state))
    if not caller.has_entered:
        yield from _notices(caller, NoticePlace.BEFORE_QUEUE)
    caller = replace(caller, has_entered=True, turned_away=())
    waits = Waits(queue=name, language=caller.language, keys=tuple(sorted(queue.keys)))
    while True:
        answer = yield waits
        if answer == HANG_UP:
            raise _GoneError(caller, name)
        if answer is None:
            return caller.end(EndKind.QUEUE, name)
        if answer in queue.keys:
            target = queue.keys[answer]
            yield Left(queue=name, digit=answer, choice=label_of(target))
            return (yield from _after_key_in_queue(caller, target, name))


def _elsewhere(caller: _Caller, queue: QueueWay, state: OpeningState) -> _Part:
    onward = queue.catch_all or queue.fallback
    yield TurnedAway(queue=queue.name, state=state, to=onward)
    if onward is None:
        prompt = caller.way.unavailable_prompt
        yield from _plays(caller, prompt, HeardAs.UNAVAILABLE, queue.name)
        return caller.end(EndKind.UNAVAILABLE, queue.name)
    if queue.name in caller.turned_away:
        return caller.end(EndKind.CIRCLE, queue.name)
    turned_away = (*caller.turned_away, queue.name)
    return _Going(caller=replace(caller, turned_away=turned_away), to=ToQueue(onward))


def _after_key_in_queue(caller: _Caller, target: Target, queue: str) -> _Part:
    again = ToQueue(queue)
    match target:
        case ToAnnouncement():
            yield from _plays(caller, target.prompt, HeardAs.ANNOUNCEMENT, queue)
            return _Going(caller=caller, to=again)
        case InLanguage():
            return _Going(caller=replace(caller, language=target.language), to=again)
        case Slowly() | Back():
            return _Going(caller=caller, to=again)
        case ToMenu() | ToQueue() | ToNumber() | ToCallback():
            return (yield from _onward(caller, target, queue))
        case _:
            assert_never(target)


def _notices(caller: _Caller, place: NoticePlace) -> Generator[Step, Answer, None]:
    for notice in caller.way.notices:
        is_here = not notice.lines or caller.line.name in notice.lines
        if is_here and notice.place is place and notice.name in caller.moment.notices:
            yield from _plays(caller, notice.prompt, HeardAs.NOTICE, notice.name)


def _plays(
    caller: _Caller, prompt: str, heard_as: HeardAs, place: str
) -> Generator[Step, Answer, None]:
    answer = yield Heard(prompt=prompt, heard_as=heard_as, language=caller.language, place=place)
    if answer == HANG_UP:
        raise _GoneError(caller, place)


# A row of keys.


def answer_from(step: Step, rest: deque[str]) -> Answer:
    """Return what a caller with a row of keys does at a step, and take what that uses up."""
    if isinstance(step, Listens) and step.typed:
        # A whole silence is longer than this one, and goes on in the menu that the key leads to.
        if not rest or rest[0] == SILENCE:
            return None
        typed = rest.popleft()
        return None if typed == PAUSE else typed
    _drop(rest, PAUSE)
    match step:
        case Listens():
            typed = rest.popleft() if rest else SILENCE
            return None if typed == SILENCE else typed
        case Heard():
            heard = TYPED.replace(SILENCE, "") if step.takes_keys else HANG_UP
            return rest.popleft() if rest and rest[0] in heard else None
        case Waits():
            _drop(rest, TYPED.translate({ord(key): None for key in (*step.keys, HANG_UP)}))
            return rest.popleft() if rest else None
        case Met() | Chose() | TurnedAway() | Left() | Ended():
            return None
        case _:
            assert_never(step)


def _drop(rest: deque[str], keys: str) -> None:
    while rest and rest[0] in keys:
        rest.popleft()
