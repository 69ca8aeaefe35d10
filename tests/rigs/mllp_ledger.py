"""An interface engine that keeps a ledger: sends over MLLP, again and again until it is acknowledged."""

import socket
from pathlib import Path

from sqlalchemy import create_engine, text

from dhos_connector_api.db.embedded import free_port
from dhos_connector_api.db.engine import DatabaseAddress
from dhos_connector_api.hl7v2.read import read
from tests.builders.hl7 import adt
from tests.builders.mllp import Client, msa
from tests.rigs.processes import Process
from tests.rigs.waiting import eventually


class Engine:
    """One feed over one connection. Order is its own: the next message goes out after the ACK of the last."""

    def __init__(self, facility: str, *, policy: str = "replay") -> None:
        self.facility = facility
        self.acknowledged: list[str] = []  # uuids, once `look_up` has found them
        self.control_ids: list[str] = []
        self.resent = 0
        self._offered = ""
        self._policy = policy
        self._client: Client | None = None

    def next_message(self) -> bytes:
        """A new message of this feed."""
        return adt("A08", MSH_4=self.facility)

    def offer(self, port: int, raw: bytes) -> bool:
        """Send it once. AR is an acknowledgement of what was sent before, where repeats are rejected."""
        control_id = read(raw).control_id
        again, self._offered = control_id == self._offered, control_id
        self.resent += again
        code, about = self._offer(port, raw)
        assert about == control_id
        assert code == "AA" or (code == "AR" and self._policy == "reject" and again)
        self.control_ids.append(control_id)
        return True

    def _offer(self, port: int, raw: bytes) -> tuple[str, str]:
        if self._client is None:
            self._client = Client(port)
            self._client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            return msa(self._client.ask(raw))
        except OSError:
            self.close()
            raise

    def look_up(self, database: DatabaseAddress) -> None:
        """Find the uuids of what was acknowledged. Each control id must be accepted once and only once."""
        engine = create_engine(database.url())
        with engine.connect() as connection:
            query = "SELECT message_control_id, uuid FROM message WHERE sending_facility = :f AND state = :s"
            rows = connection.execute(text(query), {"f": self.facility, "s": "accepted"}).all()
        engine.dispose()
        known = {control_id: str(uuid) for control_id, uuid in rows}
        assert len(known) == len(rows), "a message was accepted twice"
        assert set(known) >= set(self.control_ids), "an acknowledged message is not in the store"
        self.acknowledged = [known[control_id] for control_id in self.control_ids]
        self.close()

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None


class Mllp:
    """The MLLP processes on a port of their own; `terms` are further lines of their one listener."""

    def __init__(
        self,
        environ: dict[str, str],
        folder: Path,
        module: tuple[str, ...] = ("dhos_connector_api", "mllp"),
        *,
        terms: str = "",
    ) -> None:
        self.port = free_port()
        file = folder / f"listeners-{self.port}.toml"
        file.write_text(f'[[listener]]\nname = "test"\nhost = "127.0.0.1"\nport = {self.port}\n{terms}')
        self.process = Process(
            list(module), environ | {"MLLP_LISTENERS": str(file)}, folder / f"mllp-{self.port}.log"
        )
        try:
            eventually(self.listens, seconds=60)
        except AssertionError:
            self.process.__exit__(None, None, None)
            raise

    def listens(self) -> bool:
        Client(self.port).close()
        return True

    def __enter__(self) -> "Mllp":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.__exit__(None, None, None)
