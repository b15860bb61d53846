"""Which IP addresses are public: the only ones that a webhook may be sent to."""

import ipaddress
import socket
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

AddrInfo = tuple[int | socket.AddressFamily, int | socket.SocketKind, int, str, tuple[object, ...]]

NAT64 = IPv6Network("64:ff9b::/96")
GLOBAL_UNICAST = IPv6Network("2000::/3")
# Older Pythons count these as global: protocol assignments, 6to4 relays.
NOT_PUBLIC = (IPv4Network("192.0.0.0/24"), IPv4Network("192.88.99.0/24"))


class AddressRefused(OSError):
    """The address is not public; its text is always the same, so that several read as one."""

    def __init__(self) -> None:
        super().__init__("the address is not public")


def is_public(address: str) -> bool:
    """Whether `address` can be reached by anyone. Raises `ValueError` when it is no IP address.

    An IPv6 address that carries an IPv4 one (mapped, NAT64, 6to4) is as public as the one
    inside; Teredo addresses never are.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, IPv4Address):
        return _is_public_ipv4(ip)
    inside = _ipv4_inside(ip)
    if inside is not None:
        return _is_public_ipv4(inside)
    return ip in GLOBAL_UNICAST and ip.is_global and ip.teredo is None


def public_socket(info: AddrInfo) -> socket.socket:
    """A socket for exactly the address about to be connected. Raises `AddressRefused`.

    Checking here, after the name was resolved, leaves no gap for a name that changes its mind.
    """
    family, kind, protocol, _, where = info
    if not is_public(str(where[0])):
        raise AddressRefused
    return socket.socket(family, kind, protocol)


def _is_public_ipv4(ip: IPv4Address) -> bool:
    if ip.is_multicast or ip.is_reserved or any(ip in network for network in NOT_PUBLIC):
        return False
    return ip.is_global


def _ipv4_inside(ip: IPv6Address) -> IPv4Address | None:
    if ip in NAT64:
        return IPv4Address(int(ip) & 0xFFFF_FFFF)
    return ip.ipv4_mapped or ip.sixtofour
