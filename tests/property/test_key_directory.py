"""Whatever happens to a key, the directory lets in exactly the secrets that should work."""

from dataclasses import dataclass, field

from hypothesis import given
from hypothesis import strategies as st

from domain.access.commands import CreateKey, KeyCommand, RevokeKey, RotateKey, UpdateKey
from domain.access.decide import decide_key
from domain.access.directory import KeyDirectory
from domain.access.scopes import OWNER_SCOPES, Granter
from domain.access.state import Key, evolve_key
from domain.errors import Conflict, Unauthenticated
from domain.event import Event, Recorded
from tests.support.histories import recorded

OWNER = Granter(OWNER_SCOPES, None)
START = 1_700_000_000_000
Step = tuple[str, int]


@dataclass
class Model:
    """The same by the plainest means: when each secret stops, and when the key does."""

    secrets: dict[str, int | None] = field(default_factory=lambda: {"h0": None})
    expires_at: int | None = None
    revoked: bool = False

    def works(self, key_hash: str, now: int) -> bool:
        ends = [end for end in (self.secrets[key_hash], self.expires_at) if end is not None]
        return not self.revoked and all(now < end for end in ends)


def command(kind: str, number: int, amount: int, now: int) -> KeyCommand:
    if kind == "rotate":
        return RotateKey("last", f"h{number}", amount, OWNER, now)
    if kind == "expire":
        return UpdateKey(OWNER, now, expires_at=now + 1 + amount * 1000)
    return RevokeKey(OWNER)


def follow(model: Model, kind: str, number: int, amount: int, now: int) -> None:
    if kind == "rotate":
        for earlier, end in model.secrets.items():
            model.secrets[earlier] = min(end or now + amount * 1000, now + amount * 1000)
        model.secrets[f"h{number}"] = None
    elif kind == "expire":
        model.expires_at = now + 1 + amount * 1000
    else:
        model.revoked = True


CREATE = CreateKey(
    key_id="key_1",
    account_id="acct_1",
    name="ci",
    environment="live",
    prefix="gw_live_",
    last4="last",
    key_hash="h0",
    scopes=("inference",),
    granter=OWNER,
    now=START,
)
steps = st.lists(
    st.tuples(st.sampled_from(("rotate", "rotate", "expire", "revoke")), st.integers(0, 100)),
    max_size=6,
)


def history_of(plan: list[Step]) -> tuple[list[Recorded[Event]], Model]:
    model, rotations, now = Model(), 0, START
    history = [recorded(event) for event in decide_key(None, CREATE)]
    key: Key = evolve_key(None, history[0].event)
    for kind, amount in plan:
        now += 7_000
        rotations += kind == "rotate"
        try:
            events = decide_key(key, command(kind, rotations, amount, now))
        except Conflict:
            break
        follow(model, kind, rotations, amount, now)
        for event in events:
            key = evolve_key(key, event)
            history.append(recorded(event, version=len(history) + 1, at=now))
    return history, model


def gets_in(directory: KeyDirectory, key_hash: str, now: int) -> bool:
    try:
        directory.authenticate(key_hash, now)
    except Unauthenticated:
        return False
    return True


@given(plan=steps, repeats=st.lists(st.integers(0, 20), max_size=8), after=st.integers(0, 200_000))
def test_exactly_the_secrets_that_should_work_get_in(
    plan: list[Step], repeats: list[int], after: int
) -> None:
    history, model = history_of(plan)
    directory = KeyDirectory()
    for index, entry in enumerate(history):
        directory.apply(entry)
        for repeat in repeats:  # an event may come again, and late
            directory.apply(history[repeat % (index + 1)])
    now = START + 7_000 * len(plan) + after
    let_in = {key_hash: gets_in(directory, key_hash, now) for key_hash in model.secrets}
    assert let_in == {key_hash: model.works(key_hash, now) for key_hash in model.secrets}
