"""Ports for the servers that tests start."""

import contextlib
import socket


def free_port() -> int:
    """Find a port that nothing listens on."""
    with socket.create_server(("localhost", 0)) as server:
        port: int = server.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Tell whether a server of this machine answers there."""
    with contextlib.suppress(OSError), socket.create_connection(("localhost", port), 1):
        return True
    return False
