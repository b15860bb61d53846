"""What a client wire must be able to do: the one place that knows its answers' form.

A *delta* is one event of a streamed answer in the client's wire, a *body* the whole answer; both
are parsed JSON. The attempt engine moves them about without knowing which wire they belong to.
"""

from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, Protocol, runtime_checkable

from domain.dialects.canonical import Answer, Request
from domain.dialects.pieces import Piece
from domain.inference.events import Failure, Usage
from domain.rating.estimate import Told
from domain.value import value

Delta = dict[str, Any]
Body = dict[str, Any]


@value()
class Head:
    """What our reply says about itself: our id, the canonical model, the time in Unix seconds.

    `asked` is the caller's body, for a reply that repeats some of it.
    """

    id: str
    model: str
    created: int
    asked: Mapping[str, Any] = field(default_factory=dict)


class Renderer(Protocol):
    """Turns the pieces of one answer into deltas; made anew for each answer."""

    def deltas(self, piece: Piece) -> Sequence[Delta]:
        """The deltas that say `piece`, in order; usage is left to `Outgoing.closing`."""
        ...


class Outgoing(Protocol):
    """One streamed answer on its way to one client; made anew for each, and for each attempt.

    The last events say that the answer is complete. They are held back: whoever sends them calls
    `closing` once the completion is durable.
    """

    def opening(self) -> Sequence[Delta]:
        """What goes before the first delta."""
        ...

    def shown(self, delta: Delta) -> Sequence[Delta]:
        """`delta` as the client sees it, under our id and model; what belongs to the end is kept
        for `closing`.
        """
        ...

    def closing(self, usage: Usage) -> Sequence[Delta]:
        """What was kept, and the events that end the stream, with the usage that is charged."""
        ...


@runtime_checkable
class TellsFailure(Protocol):
    """An `Outgoing` whose stream ends with an event of its own when it breaks off."""

    def failing(self, failure: Failure) -> Sequence[Delta]:
        """The events that end the stream instead of `Outgoing.closing`."""
        ...


@runtime_checkable
class GoesOn(Protocol):
    """A `Surface` in which an answer that broke off can be gone on with by another attempt."""

    def plain_text(self, delta: Delta, /) -> str | None:
        """The text that a delta adds, "" for none; None when it adds anything else."""
        ...

    def going_on(self, request: Mapping[str, Any], text: str, /) -> Body | None:
        """The request whose answer goes on from `text`; None when it allows of none."""
        ...

    def joined(self, text: str, body: Body, /) -> Body:
        """The body with `text` before its own."""
        ...


class Surface(Protocol):
    """One client wire."""

    def read(self, body: Mapping[str, Any], /) -> Request:
        """The canonical form of a request.

        Raises `InvalidRequest` when it makes no sense and `Untranslatable` for what has no
        canonical form: then only an offer of the same wire can take it.
        """
        ...

    def renderer(self) -> Renderer: ...

    def whole(self, answer: Answer, /) -> Body:
        """The body that says `answer`, but for our id, model and usage (see `finished`)."""
        ...

    def is_content(self, delta: Delta, /) -> bool:
        """Whether the client would see some of the answer in it: after it nothing can be undone."""
        ...

    def is_whole(self, request: Mapping[str, Any], body: Mapping[str, Any], /) -> bool:
        """Whether `body` answers `request` in full."""
        ...

    def finished(self, body: Body, head: Head, usage: Usage, /) -> Body:
        """The body for the customer: under our id and model, with the usage that is charged, and
        without what a provider added for itself.
        """
        ...

    def outgoing(self, request: Mapping[str, Any], head: Head, /) -> Outgoing: ...

    def replayed(self, body: Body, /) -> Sequence[Delta]:
        """The deltas of a finished body, for a client that asks again for the stream."""
        ...

    def added(self, delta: Delta, /) -> Told:
        """What the model put out in one delta."""
        ...

    def put_out(self, body: Mapping[str, Any], /) -> Told:
        """What the model put out, to count its tokens."""
        ...
