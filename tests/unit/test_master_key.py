"""The master key: where it comes from and what is derived from it."""

import base64
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from adapters.crypto.master_key import MasterKey, MasterKeyProblem

SECRET = bytes(range(224, 256))


def test_each_purpose_has_a_key_of_its_own_and_always_the_same() -> None:
    one, other = MasterKey(SECRET), MasterKey(SECRET)
    derived = {one.derive(p) for p in ("wrap", "api-key-hash", "cursor", "check")}
    assert len(derived) == 4
    assert one.derive("wrap") == other.derive("wrap")


@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
@pytest.mark.parametrize("trim", ["", "="])
def test_a_setting_is_read_in_either_alphabet_with_or_without_padding(
    encode: Callable[[bytes], bytes], trim: str
) -> None:
    text = encode(SECRET).decode().rstrip(trim or None)
    assert MasterKey.from_base64(f" {text}\n").derive("wrap") == MasterKey(SECRET).derive("wrap")


@pytest.mark.parametrize("text", ["", "short", "*" * 44, base64.b64encode(b"x" * 31).decode()])
def test_a_setting_that_is_no_key_is_refused_without_being_shown(text: str) -> None:
    with pytest.raises(MasterKeyProblem) as raised:
        MasterKey.from_base64(text)
    assert not text or text not in str(raised.value)


def test_the_key_file_is_made_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "master.key"
    made = MasterKey.from_file(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert MasterKey.from_file(path).derive("wrap") == made.derive("wrap")


def test_starts_at_the_same_moment_agree_on_one_key(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    together = Barrier(8)

    def start(_: int) -> bytes:
        together.wait()
        return MasterKey.from_file(path).derive("wrap")

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert [one.name for one in tmp_path.iterdir()] == ["master.key"]


def test_a_key_file_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "master.key"
    MasterKey.from_file(path)
    path.chmod(0o644)
    with pytest.raises(MasterKeyProblem, match="chmod 600"):
        MasterKey.from_file(path)


def test_the_key_is_never_printed() -> None:
    assert repr(MasterKey(SECRET)) == "MasterKey(…)"
