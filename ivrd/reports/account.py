"""A month's account as a document: per department, the prices behind it, and call by call.

Here: words and tables. Not here: arithmetic (core/account.py, core/prices.py), and plain data
(account_exports.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from fractions import Fraction

from ivrd.core.account import Account, BilledCall, Share
from ivrd.core.case_record import CaseClass
from ivrd.core.periods import Period
from ivrd.core.prices import Charge, Price
from ivrd.core.stored_calls import Basis
from ivrd.core.usage import UNLABELLED
from ivrd.reports import numbers, plots
from ivrd.reports.account_exports import data_of, listing_of, seal_of
from ivrd.reports.document import (
    Block,
    Column,
    Document,
    Grid,
    Heading,
    Language,
    Notes,
    Row,
    Terms,
)
from ivrd.reports.figure_words import CLASSES, class_words

CHARGES: Mapping[Charge, tuple[str, str, str, str]] = {
    Charge.CALL: ("Samtal", "Calls", "varje samtal som en vägledare besvarade", "each guided call"),
    Charge.STARTED_MINUTE: (
        "Påbörjade minuter",
        "Started minutes",
        "varje påbörjad minut av samtal med vägledare",
        "each started minute of talk with guides",
    ),
    Charge.MINUTE: (
        "Minuter",
        "Minutes",
        "samtal med vägledare, per påbörjad sekund av minutpriset",
        "talk with guides, by started seconds of the minute's price",
    ),
    Charge.CASE: ("Ärenden", "Cases", "varje ärende, efter klass", "each case, by class"),
}

BASES = {
    Basis.LABEL: ("etikett", "label"),
    Basis.QUEUE: ("kö", "queue"),
    Basis.NOTHING: ("saknas", "none"),
}


class AccountReport:
    """Makes the document of one account."""

    def __init__(
        self,
        account: Account,
        period: Period,
        *,
        names: Mapping[str, str],
        prices_seal: str,
        is_over: bool,
        language: Language,
    ) -> None:
        """Take an account that misses no price.

        Args:
            account: The month's.
            period: The month.
            names: Of departments, by code.
            prices_seal: Tells one price list from another.
            is_over: Whether the month has ended.
            language: Of words and decimals.
        """
        self._account = account
        self._period = period
        self._names = names
        self._prices_seal = prices_seal
        self._is_over = is_over
        self._language: Language = language
        self._charges = [
            charge
            for charge in Charge
            if any(amount.charge is charge for call in account.calls for amount in call.amounts)
        ]

    def document(self, department: str | None, *, with_calls: bool) -> Document:
        """Return the whole account, or one department's part of it."""
        shares = {
            name: share
            for name, share in self._account.departments.items()
            if department in (None, name)
        }
        calls = [
            call for call in self._account.calls if department in (None, call.usage.department)
        ]
        blocks: list[Block | Heading] = [*self._warnings(shares), self._usage(shares)]
        blocks += [self._money(shares), *self._plot(shares), *self._split(shares)]
        blocks += [self._prices()]
        if with_calls:
            blocks.append(self._calls(calls))
        formulas = list(self._formulas())
        blocks.append(Terms(title=self._say("Så räknas", "How it is reckoned"), pairs=formulas))
        blocks.append(Notes(lines=list(self._notes())))
        return Document(
            title=self._say("Kostnadsfördelning {}", "Account of {}").format(self._period.name),
            subtitle=(
                self._say("alla förvaltningar", "all departments")
                if department is None
                else self._name(department)
            ),
            facts=self._facts(),
            language=self._language,
            blocks=blocks,
            data=list(data_of(self._account, shares, self._charges, period=self._period.name)),
            formulas=formulas,
            listing=(
                listing_of(
                    calls,
                    self._charges,
                    zone=self._period.zone,
                    title=self._say("Samtal", "Calls"),
                )
                if with_calls
                else None
            ),
        )

    # Tables.

    def _usage(self, shares: Mapping[str, Share]) -> Grid:
        classes = [each for each in CLASSES if each in self._account.whole.classes]
        columns = [
            Column(title=self._say("Samtal", "Calls")),
            Column(title=self._say("Samtalstid", "Talk")),
            *(Column(title=class_words(each, self._language).capitalize()) for each in classes),
            Column(title=self._say("Ärenden", "Cases")),
        ]

        def cells(share: Share) -> Sequence[str]:
            return [
                self._count(share.calls),
                # Nobody rang: there is no talk, rather than one of 0 s.
                numbers.duration(share.talk if share.calls else None, self._language),
                *(self._count(share.classes.get(each, 0)) for each in classes),
                self._count(sum(share.classes.values())),
            ]

        return Grid(
            title=self._say("Nyttjande", "Usage"),
            corner=self._say("Förvaltning", "Department"),
            columns=columns,
            rows=self._rows(shares, cells),
        )

    def _money(self, shares: Mapping[str, Share]) -> Grid:
        fixed = [cost.name for cost, _ in self._account.fixed]
        columns = [
            *(Column(title=self._charge(each), note=each) for each in self._charges),
            *(Column(title=name, note=self._say("fast", "fixed")) for name in fixed),
            Column(title=self._say("Summa kr", "Sum kr")),
        ]

        def cells(share: Share) -> Sequence[str]:
            return [
                *(self._kr(share.charged.get(each, 0)) for each in self._charges),
                *(self._kr(share.fixed.get(name, 0)) for name in fixed),
                self._kr(share.ore),
            ]

        return Grid(
            title=self._say("Kostnad, kronor", "Cost, kronor"),
            corner=self._say("Förvaltning", "Department"),
            columns=columns,
            rows=self._rows(shares, cells),
        )

    def _rows(
        self, shares: Mapping[str, Share], cells: Callable[[Share], Sequence[str]]
    ) -> Sequence[Row]:
        rows = [Row(title=self._name(name), cells=cells(share)) for name, share in shares.items()]
        title = self._say("Alla förvaltningar", "All departments")
        rows.append(Row(title=title, cells=cells(self._account.whole), is_total=True))
        return rows

    def _plot(self, shares: Mapping[str, Share]) -> Iterator[Block]:
        rows = [
            (self._name(name), share.ore, f"{self._kr(share.ore)} kr")
            for name, share in sorted(shares.items(), key=lambda each: (-each[1].ore, each[0]))
        ]
        if any(size for _, size, _ in rows):
            yield plots.bars(rows, self._say("Summa per förvaltning", "Sum by department"))

    def _split(self, shares: Mapping[str, Share]) -> Iterator[Grid]:
        """Yield how each fixed cost is split."""
        for cost, key in self._account.fixed:
            whole = sum(key.shares.values())
            rows = [
                Row(
                    title=self._name(name),
                    cells=[
                        self._count(key.shares[name]),
                        numbers.share(Fraction(key.shares[name], whole), self._language),
                        self._kr(self._account.departments[name].fixed[cost.name]),
                    ],
                )
                for name in sorted(key.shares)
                if name in shares
            ]
            rows.append(
                Row(
                    title=self._say("Hela kostnaden", "The whole cost"),
                    cells=[
                        self._count(whole),
                        numbers.share(Fraction(1), self._language),
                        self._kr(cost.ore),
                    ],
                    is_total=True,
                )
            )
            title = self._say("Fast kostnad {}, efter {} från {}", "Fixed cost {}, by {} from {}")
            yield Grid(
                title=title.format(cost.name, key.name, key.valid_from.isoformat()),
                corner=self._say("Förvaltning", "Department"),
                columns=[
                    Column(title=key.name),
                    Column(title=self._say("Andel", "Share")),
                    Column(title=self._say("Kronor", "Kronor")),
                ],
                rows=rows,
            )

    def _prices(self) -> Grid:
        return Grid(
            title=self._say("Priser som gällde", "Prices that held"),
            corner=self._say("För", "For"),
            columns=[
                Column(title=self._say("Klass", "Class")),
                Column(title=self._say("Förvaltning", "Department")),
                Column(title=self._say("Från", "From")),
                Column(title="kr"),
            ],
            rows=[
                Row(
                    title=self._charge(price.charge),
                    formula=price.charge,
                    cells=[
                        self._class(price.case_class),
                        self._all() if price.department is None else self._name(price.department),
                        price.valid_from.isoformat(),
                        _kr_text(price, self._language),
                    ],
                )
                for price in self._account.prices
            ],
        )

    def _calls(self, calls: Sequence[BilledCall]) -> Grid:
        zone = self._period.zone
        rows = []
        for call in calls:
            usage = call.usage
            rows.append(
                Row(
                    title=usage.call_id,
                    cells=[
                        f"{usage.arrived_at.astimezone(zone):%Y-%m-%d %H.%M.%S}",
                        usage.queue,
                        self._name(usage.department),
                        self._basis(usage.basis),
                        numbers.duration(usage.talk, self._language),
                        self._class(usage.case_class, none=numbers.NO_VALUE),
                        self._kr(call.ore),
                    ],
                )
            )
        return Grid(
            title=self._say("Samtalen bakom", "The calls behind it"),
            corner=self._say("Samtal", "Call"),
            columns=[
                Column(title=self._say("Kom", "Arrived")),
                Column(title=self._say("Kö", "Queue")),
                Column(title=self._say("Förvaltning", "Department")),
                Column(title=self._say("Enligt", "By")),
                Column(title=self._say("Samtalstid", "Talk")),
                Column(title=self._say("Klass", "Class")),
                Column(title="kr"),
            ],
            rows=rows,
        )

    # Words around them.

    def _facts(self) -> Sequence[tuple[str, str]]:
        zone = self._period.zone
        first, last = self._period.since.astimezone(zone), self._period.until.astimezone(zone)
        until = self._account.facts_until
        known = (
            self._say("inga samtal", "no calls")
            if until is None
            else until.astimezone(zone).isoformat(sep=" ", timespec="seconds")
        )
        return (
            (
                "Period",
                f"{first:%Y-%m-%d %H.%M} {numbers.NO_VALUE} {last:%Y-%m-%d %H.%M}, {zone}",
            ),
            (self._say("Fakta till", "Facts until"), known),
            (self._say("Sigill", "Seal"), seal_of(self._account)),
            (self._say("Prislista", "Price list"), self._prices_seal),
        )

    def _warnings(self, shares: Mapping[str, Share]) -> Iterator[Notes]:
        lines = []
        if not self._is_over:
            lines.append(
                self._say(
                    "Månaden pågår: detta är inget bokslut.",
                    "The month is not over: this is no final account.",
                )
            )
        nobody = shares.get(UNLABELLED)
        if nobody is not None and nobody.calls:
            lines.append(
                self._say(
                    "{} samtal saknar etikett: {} kr har ingen förvaltning som betalar.",
                    "{} calls are unlabelled: nobody pays for {} kr.",
                ).format(self._count(nobody.calls), self._kr(nobody.ore))
            )
        unknown = sum(share.talk_unknown for share in shares.values())
        if unknown:
            lines.append(
                self._say(
                    "{} samtal har okänd samtalstid: inga minuter räknas för dem.",
                    "{} calls have unknown talk: no minutes are charged for them.",
                ).format(self._count(unknown))
            )
        if lines:
            yield Notes(lines=lines, is_warning=True)

    def _notes(self) -> Iterator[str]:
        yield self._say(
            "Varje samtal som en vägledare besvarade finns med en gång, i den månad då det kom: "
            "hos etikettens förvaltning, annars köns, annars utan etikett. Väntan, växel och "
            "efterarbete kostar inget.",
            "Each call that a guide answered is there once, in the month in which it arrived: with "
            "its label's department, else its queue's, else unlabelled. Waiting, switchboard and "
            "wrap-up cost nothing.",
        )
        yield self._say(
            "Varje belopp per samtal avrundas till hela ören, halva uppåt. Summor är summor av "
            "dessa, så delarna är exakt det hela. Fasta kostnader delas i hela ören; de som blir "
            "över går till de största resterna.",
            "Each amount of a call is rounded to whole öre, half up. Sums are sums of these, so "
            "the parts are exactly the whole. Fixed costs are split in whole öre; what is left "
            "goes to the largest remainders.",
        )
        if self._account.internal:
            yield self._say(
                "{} samtal från interna linjer räknas inte.",
                "{} calls of internal lines are not counted.",
            ).format(self._count(self._account.internal))

    def _formulas(self) -> Iterator[tuple[str, str]]:
        for charge in self._charges:
            words = CHARGES[charge]
            yield charge.value, words[2] if self._language == "sv" else words[3]

    def _name(self, department: str) -> str:
        if department == UNLABELLED:
            return self._say("utan etikett", "unlabelled")
        return self._names.get(department, department)

    def _charge(self, charge: Charge) -> str:
        words = CHARGES[charge]
        return words[0] if self._language == "sv" else words[1]

    def _basis(self, basis: Basis) -> str:
        words = BASES[basis]
        return words[0] if self._language == "sv" else words[1]

    def _class(self, case_class: CaseClass | None, *, none: str | None = None) -> str:
        if case_class is None:
            return self._all() if none is None else none
        return class_words(case_class, self._language)

    def _all(self) -> str:
        return self._say("alla", "all")

    def _count(self, number: int) -> str:
        return numbers.count(number, self._language)

    def _kr(self, ore: int) -> str:
        return numbers.kronor(ore, self._language)

    def _say(self, swedish: str, english: str) -> str:
        return swedish if self._language == "sv" else english


def _kr_text(price: Price, language: Language) -> str:
    """Return a price with at least its öre, and all its decimals."""
    exact = price.ore.scaleb(-2).normalize()
    exponent = exact.as_tuple().exponent
    digits = max(2, -exponent) if isinstance(exponent, int) else 2
    return numbers.decimal(Fraction(exact), digits, language)
