"""The `eventsourcing` library's own reusable tests, run against our recorders."""

import tempfile
import threading
import unittest
from pathlib import Path
from uuid import uuid4

import pytest
from eventsourcing.persistence import IntegrityError, StoredEvent
from eventsourcing.tests.persistence import (
    ApplicationRecorderTestCase,
    NonInterleavingNotificationIDsBaseCase,
)

from adapters.postgres.recorder import Datastore as PostgresDatastore
from adapters.postgres.recorder import Recorder as PostgresRecorder
from adapters.sqlite.recorder import Datastore, Recorder


class _OnAFile(unittest.TestCase):
    def setUp(self) -> None:
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self._path = Path(folder.name) / "events.db"
        self._threads_before = set(threading.enumerate())

    def new_originator_id(self) -> str:
        return str(uuid4())

    def create_recorder(self) -> Recorder:
        datastore = Datastore(str(self._path), "process")
        self.addCleanup(datastore.close)
        self.addCleanup(self._join)
        recorder = Recorder(datastore)
        recorder.create_table()
        return recorder

    def _join(self) -> None:
        # The library's readers are told to stop, but read on while the test ends.
        for thread in set(threading.enumerate()) - self._threads_before:
            thread.join()


class TestApplicationRecorder(_OnAFile, ApplicationRecorderTestCase[Recorder]):
    """What the library asks of any application recorder.

    Left out: its two measurements, which assert nothing, and its subscriptions, which the
    embedded log takes the place of (`tests/contract/test_log.py`).
    """

    test_performance = None  # type: ignore[assignment]
    test_concurrent_throughput = None  # type: ignore[assignment]


class TestNotificationIds(_OnAFile, NonInterleavingNotificationIDsBaseCase):
    """Positions become visible in their order."""

    insert_num = 200


class TestPositions(_OnAFile):
    """What ours promises beyond the library."""

    def test_a_refused_insert_leaves_no_gap(self) -> None:
        recorder = self.create_recorder()
        stored = StoredEvent(self.new_originator_id(), 1, "topic@1", b"{}")
        recorder.insert_events([stored])
        with pytest.raises(IntegrityError):
            recorder.insert_events([stored])
        other = StoredEvent(self.new_originator_id(), 1, "topic@1", b"{}")
        assert list(recorder.insert_events([other]) or ()) == [2]


class _InADatabase(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def _database(self, store_url: str) -> None:
        self._url = store_url

    def setUp(self) -> None:
        self._threads_before = set(threading.enumerate())

    def new_originator_id(self) -> str:
        return str(uuid4())

    def create_recorder(self) -> PostgresRecorder:
        datastore = PostgresDatastore(self._url, 8)
        self.addCleanup(datastore.close)
        self.addCleanup(self._join)
        return PostgresRecorder(datastore)

    def _join(self) -> None:
        for thread in set(threading.enumerate()) - self._threads_before:
            if not thread.name.startswith("pool-"):
                thread.join()


class TestPostgresApplicationRecorder(_InADatabase, ApplicationRecorderTestCase[PostgresRecorder]):
    """What the library asks of any application recorder.

    Left out: its two measurements, which assert nothing. Its subscriptions are fed by NOTIFY in
    each transaction, which ours leaves out on purpose; a node's tail takes their place
    (`tests/integration/test_postgres_nodes.py`).
    """

    test_performance = None  # type: ignore[assignment]
    test_concurrent_throughput = None  # type: ignore[assignment]


class TestPostgresNotificationIds(_InADatabase, NonInterleavingNotificationIDsBaseCase):
    """Positions become visible in their order."""

    insert_num = 200


class TestPostgresPositions(_InADatabase):
    """What ours promises beyond the library."""

    def test_a_refused_insert_leaves_no_gap(self) -> None:
        recorder = self.create_recorder()
        stored = StoredEvent(self.new_originator_id(), 1, "topic@1", b"{}")
        recorder.insert_events([stored])
        with pytest.raises(IntegrityError):
            recorder.insert_events([stored])
        other = StoredEvent(self.new_originator_id(), 1, "topic@1", b"{}")
        assert list(recorder.insert_events([other]) or ()) == [2]


del _OnAFile, _InADatabase
