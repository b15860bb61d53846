"""A server of the S3 protocol on loopback, in a process of its own, keeping all in memory."""

import signal
import socket
import subprocess
import sys
import time
from http.client import HTTPConnection
from types import TracebackType

STARTS_WITHIN_SECONDS = 20.0


class S3Server:
    """Starts with one empty bucket, and lets any credentials in until told otherwise."""

    def __init__(self, bucket: str = "gatewayz-test") -> None:
        self.bucket = bucket
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port: int = free.getsockname()[1]
        command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port)]
        self._process = subprocess.Popen(
            command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def __enter__(self) -> "S3Server":
        try:
            self._wait()
            self._request("PUT", f"/{self.bucket}")
        except BaseException:
            self.kill()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def names(self) -> str:
        """The names of the bucket's objects, as the XML that lists them."""
        return self._request("GET", f"/{self.bucket}?list-type=2")

    def lock_everybody_out(self) -> None:
        """From now on no credentials are good."""
        self._request("POST", "/moto-api/reset-auth", b"0")

    def freeze(self) -> None:
        """Connections are taken and never answered, until `thaw` or the end."""
        self._process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self._process.send_signal(signal.SIGCONT)

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def _wait(self) -> None:
        give_up_at = time.monotonic() + STARTS_WITHIN_SECONDS
        while True:
            try:
                self._request("GET", "/moto-api/data.json")
            except OSError:
                if time.monotonic() > give_up_at or self._process.poll() is not None:
                    raise
                time.sleep(0.02)
            else:
                return

    def _request(self, method: str, path: str, body: bytes | None = None) -> str:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request(method, path, body, {"Content-Type": "text/plain"})
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        if answer.status >= 300:
            raise OSError(f"{method} {path}: {answer.status} {text}")
        return text
