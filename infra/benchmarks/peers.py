"""`make bench-peers`: other gateways before the same provider, in the same run as ours.

LiteLLM's proxy from PyPI and, where Node.js is installed, Portkey's gateway from npm; each on the
one core that ours has, all idle but the one under load, their rounds interleaved. Ours records,
holds and charges durably; they record nothing. Ends with 2 when LiteLLM cannot be installed.
"""

import argparse
import contextlib
import platform
import sys
from collections.abc import Iterator

import uvloop

from infra.benchmarks.charges import require_charges
from infra.benchmarks.chat_mock import chat_body, chat_mock
from infra.benchmarks.http_load import post
from infra.benchmarks.peer_gateways import Peer, PeerMissing, litellm, portkey
from infra.benchmarks.subjects import data_folder, gateway, pin_load
from infra.benchmarks.sync import (
    PATH,
    Target,
    one_by_one,
    report_added,
    report_load,
    report_ratio,
    target,
)
from infra.version import VERSION

NOT_INSTALLED = 2


def peer_target(peer: Peer) -> Target:
    """What to send a peer."""
    raw = post(PATH, peer.subject.key, chat_body(peer.model), peer.headers)
    return Target(peer.name, peer.subject, raw)


@contextlib.contextmanager
def running_peers(upstream_port: int) -> Iterator[list[Target]]:
    """Those that can be had here. Raises `PeerMissing` without LiteLLM."""
    with contextlib.ExitStack() as stack:
        peers = [stack.enter_context(litellm(upstream_port))]
        try:
            peers.append(stack.enter_context(portkey(upstream_port)))
        except PeerMissing as missing:
            print(f"without Portkey's gateway: {missing}")
        yield [peer_target(peer) for peer in peers]


async def measure(direct: Target, gateways: list[Target], given: argparse.Namespace) -> None:
    """All rounds of all of them."""
    for one in (direct, *gateways):
        await one.warm_up(given.seconds, given.in_flight)
    await one_by_one([direct, *gateways], given.count)
    for _ in range(given.rounds):
        for one in (direct, *gateways):
            await one.load(given.seconds, given.in_flight)


def report(direct: Target, gateways: list[Target], in_flight: int) -> None:
    """All of it, and the ratios of ours, which comes first."""
    ours, *peers = gateways
    for one in gateways:
        report_added(direct, one)
    print(f"{in_flight} in flight:")
    for one in (direct, *gateways):
        report_load(one, in_flight)
    for peer in peers:
        report_ratio(ours, peer, in_flight)


def run(given: argparse.Namespace) -> None:
    """Starts everything and measures it."""
    print(f"gatewayz {VERSION}, Python {platform.python_version()}")
    with chat_mock() as mock, data_folder() as folder:
        with running_peers(mock.port) as peers, gateway(folder, mock.port) as subject:
            direct, ours = (
                target("the provider itself (ceiling)", mock),
                target("gatewayz", subject),
            )
            uvloop.run(measure(direct, [ours, *peers], given))
            report(direct, [ours, *peers], given.in_flight)
        require_charges(folder, ours.answered)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=3)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--count", type=int, default=100)
    arguments.add_argument("--in-flight", type=int, default=64)
    given = arguments.parse_args()
    pin_load()
    try:
        run(given)
    except PeerMissing as missing:
        print(f"LiteLLM's proxy cannot be had here (is there a network?): {missing}")
        sys.exit(NOT_INSTALLED)


if __name__ == "__main__":
    main()
