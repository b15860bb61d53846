"""One transaction in the making: which appends fit, and what they change.

Everything an append may touch is read first, in a handful of statements for the whole group.
Each append is then decided in memory against that state, on top of those before it, and either
stands whole or leaves no trace; the rest of the group does not notice a refusal.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from domain.billing.events import MOVES_MONEY, Entry
from domain.billing.wallet import Wallet, capture, credit, hold, release
from domain.effects import (
    Capture,
    Credit,
    Done,
    Effect,
    Enqueue,
    Hold,
    Lease,
    Release,
    Renew,
    Requeue,
    effects_of,
)
from domain.errors import VersionConflict
from domain.event import Event, Recorded
from domain.ids import Kind
from domain.ports.clock import Clock, Ids
from domain.ports.event_store import Append, DeadLetter, Mark, StreamWrite
from domain.ports.work_queue import WorkItem

K = TypeVar("K")
V = TypeVar("V")
ItemKey = tuple[str, str]
HeldAmount = tuple[str, int]
NO_WALLET = Wallet()
_ABSENT: Any = object()


@dataclass(slots=True)
class State:
    """What the group's appends may touch: as the database has it, then as the group leaves it."""

    next_position: int
    versions: dict[str, int]
    wallets: dict[str, Wallet]
    holds: dict[str, HeldAmount]
    items: dict[ItemKey, WorkItem]


@dataclass(slots=True)
class Changes:
    """What is to be written; a `None` value is a row to delete."""

    events: list[Recorded[Event]] = field(default_factory=list)
    states: list[bytes] = field(default_factory=list)
    wallets: dict[str, Wallet] = field(default_factory=dict)
    holds: dict[str, HeldAmount | None] = field(default_factory=dict)
    items: dict[ItemKey, WorkItem | None] = field(default_factory=dict)
    feed: list[WorkItem] = field(default_factory=list)
    marks: list[Mark] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    redriven: list[DeadLetter] = field(default_factory=list)


@dataclass(slots=True)
class Decided:
    """What was decided of a group: an answer or a refusal for each append, and what to write."""

    answers: list[tuple[Recorded[Event], ...] | Exception]
    changes: Changes


@dataclass(frozen=True, slots=True)
class Decider:
    """Decides groups of appends; `encode` gives the stored bytes of an event."""

    clock: Clock
    ids: Ids
    encode: Callable[[Recorded[Event]], bytes]

    def decide(self, state: State, appends: Sequence[Append]) -> Decided:
        """Every append on top of those before it. What is wrong with one is its own."""
        group = Group(state, self.clock, self.ids, self.encode)
        answers: list[tuple[Recorded[Event], ...] | Exception] = []
        for append in appends:
            try:
                answers.append(group.add(append))
            except Exception as refusal:  # noqa: BLE001 - told to whoever asked for it
                answers.append(refusal)
        return Decided(answers, group.changes)


class Group:
    """Collects appends into `changes`, on top of `state`."""

    def __init__(
        self, state: State, clock: Clock, ids: Ids, encode: Callable[[Recorded[Event]], bytes]
    ) -> None:
        self.changes = Changes()
        self._state = state
        self._ids = ids
        self._encode = encode
        self._now = clock.now()
        self._undo: list[tuple[dict[Any, Any], Any, Any]] = []

    def add(self, append: Append) -> tuple[Recorded[Event], ...]:
        """Decides one append. A refusal raises and takes back what the append changed.

        Raises `VersionConflict`, the refusals of `domain.billing.wallet`, or `ValueError`.
        """
        self._undo.clear()
        position = self._state.next_position
        first = len(self.changes.events)
        feed = len(self.changes.feed)
        try:
            for write in append.writes:
                self._write(append, write)
            for effect in append.work:
                self._apply(effect, None)
            self.changes.states.extend(map(self._encode, self.changes.events[first:]))
        except BaseException:
            self._take_back()
            del self.changes.events[first:]
            del self.changes.states[first:]
            del self.changes.feed[feed:]
            self._state.next_position = position
            raise
        if append.mark is not None:
            self.changes.marks.append(append.mark)
        self.changes.dead_letters.extend(append.dead_letters)
        self.changes.redriven.extend(append.redriven)
        return tuple(self.changes.events[first:])

    def _write(self, append: Append, write: StreamWrite) -> None:
        version = self._state.versions.get(write.stream, 0)
        if version != write.expected_version:
            raise VersionConflict(write.stream, write.expected_version, version)
        self._set(self._state.versions, write.stream, version + len(write.events))
        for offset, event in enumerate(write.events, start=1):
            recorded = self._recorded(append, write.stream, version + offset, event)
            self.changes.events.append(recorded)
            for effect in effects_of(recorded):
                self._apply(effect, recorded)

    def _recorded(self, append: Append, stream: str, version: int, event: Event) -> Recorded[Event]:
        origin = append.origin
        position = self._state.next_position
        self._state.next_position = position + 1
        return Recorded(
            position,
            stream,
            version,
            self._ids.new(Kind.EVENT),
            self._now,
            origin.account_id,
            origin.actor_type,
            origin.actor_id,
            origin.correlation_id,
            origin.causation_id,
            origin.trace,
            event,
        )

    def _apply(self, effect: Effect, cause: Recorded[Event] | None) -> None:
        match effect:
            case Hold() | Capture() | Release() | Credit():
                if cause is None:
                    raise ValueError("money moves through events alone")
                self._move_money(effect, cause)
            case Enqueue():
                self._enqueue(effect)
            case Lease():
                self._lease(effect)
            case Renew():
                self._renew(effect)
            case Requeue():
                self._requeue(effect)
            case Done():
                self._set_item((effect.queue, effect.item_id), None)

    def _move_money(
        self, effect: Hold | Capture | Release | Credit, cause: Recorded[Event]
    ) -> None:
        account = cause.account_id
        wallet = self._state.wallets.get(account, NO_WALLET)
        entries: tuple[Entry, ...] = ()
        match effect:
            case Hold():
                after = hold(wallet, effect.picodollars)
                self._set_hold(effect.hold_id, (account, effect.picodollars))
            case Release():
                after = release(wallet, self._end_hold(effect.hold_id, account))
            case Capture():
                held = self._end_hold(effect.hold_id, account)
                after, entries = capture(wallet, held, effect.picodollars)
            case Credit():
                after, entries = credit(wallet, effect.bucket, effect.picodollars)
        self._set(self._state.wallets, account, after)
        self._set(self.changes.wallets, account, after)
        if isinstance(cause.event, MOVES_MONEY):
            posted = cause.event.posted(entries, after.total)
            self.changes.events[-1] = cause._replace(event=posted)

    def _set_hold(self, hold_id: str, held: HeldAmount) -> None:
        if hold_id in self._state.holds:
            raise ValueError(f"there is a hold {hold_id} already")
        self._set(self._state.holds, hold_id, held)
        self._set(self.changes.holds, hold_id, held)

    def _end_hold(self, hold_id: str, account: str) -> int:
        owner, picodollars = self._state.holds.get(hold_id, ("", 0))
        if owner != account:
            raise ValueError(f"no hold {hold_id} in {account}")
        self._unset(self._state.holds, hold_id)
        self._set(self.changes.holds, hold_id, None)
        return picodollars

    def _enqueue(self, effect: Enqueue) -> None:
        key = (effect.queue, effect.item_id)
        if key in self._state.items:
            return
        item = WorkItem(
            effect.queue,
            effect.item_id,
            effect.account_id,
            effect.lane,
            effect.position,
            effect.cost,
            effect.due_at,
            effect.deadline_at,
        )
        self._set_item(key, item)
        self.changes.feed.append(item)

    def _lease(self, effect: Lease) -> None:
        key = (effect.queue, effect.item_id)
        item = self._state.items.get(key)
        if item is not None:
            starts = item.starts + (item.lease_id != effect.lease_id)
            leased = item._replace(
                starts=starts, lease_id=effect.lease_id, leased_until=effect.until
            )
            self._set_item(key, leased)

    def _renew(self, effect: Renew) -> None:
        key = (effect.queue, effect.item_id)
        item = self._state.items.get(key)
        if item is not None and item.lease_id == effect.lease_id:
            self._set_item(key, item._replace(leased_until=effect.until))

    def _requeue(self, effect: Requeue) -> None:
        key = (effect.queue, effect.item_id)
        item = self._state.items.get(key)
        if item is not None:
            free = item._replace(lease_id=None, leased_until=None, due_at=effect.due_at)
            self._set_item(key, free)
            self.changes.feed.append(free)

    def _set_item(self, key: ItemKey, item: WorkItem | None) -> None:
        if item is None:
            self._unset(self._state.items, key)
        else:
            self._set(self._state.items, key, item)
        self._set(self.changes.items, key, item)

    def _set(self, mapping: dict[K, V], key: K, value: V) -> None:
        self._undo.append((mapping, key, mapping.get(key, _ABSENT)))
        mapping[key] = value

    def _unset(self, mapping: dict[K, Any], key: K) -> None:
        self._undo.append((mapping, key, mapping.pop(key, _ABSENT)))

    def _take_back(self) -> None:
        for mapping, key, before in reversed(self._undo):
            if before is _ABSENT:
                mapping.pop(key, None)
            else:
                mapping[key] = before
