"""The connection to an existing Dask cluster, which the sweep and the benchmark share."""

import asyncio
import socket
from typing import Any

from theory.support.errors import InputError


def connect(address: str) -> Any:
    """A client of the Dask scheduler at this address, such as tcp://127.0.0.1:8786.

    Raises `InputError` where none answers (within two seconds where the port is closed) or where Dask is missing.
    """
    try:
        from distributed import Client
        from distributed.comm.addressing import parse_address, parse_host_port
        from distributed.comm.core import connect as open_comm
    except ImportError:
        raise InputError("--dask needs the package distributed, which the extra 'cluster' installs.") from None

    async def probe() -> None:
        await (await open_comm(address, timeout="10s")).close()

    try:
        scheme, place = parse_address(address)
        if scheme in ("tcp", "tls"):  # Dask tries a closed port again and again until its timeout
            socket.create_connection(parse_host_port(place), timeout=2).close()
        # A client that fails to start logs a long error when it is deleted: hence the probe before.
        asyncio.run(probe())
        return Client(address, timeout="10s", set_as_default=False)
    except (OSError, TimeoutError, ValueError) as error:
        raise InputError(f"no Dask scheduler answers at {address} ({type(error).__name__}).") from None
