"""Milvus, by its own client: a service that uses this depends on pymilvus."""

import logging
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from nextai_service_kit.connection import Connection
from nextai_service_kit.limits import STORE

if TYPE_CHECKING:
    from pymilvus import MilvusClient

CALL = STORE
"""Seconds that one call to Milvus may take while it is prepared, in the background."""

# ErrParameterInvalid in https://github.com/milvus-io/milvus/blob/master/pkg/util/merr/errors.go
_INVALID_PARAMETER = 1100


def connection(uri: str, prepare: "Callable[[MilvusClient], None]") -> "Connection[MilvusClient]":
    """A connection to the Milvus at a URL. Nothing is connected yet."""
    return Connection("Milvus", lambda: _connect(uri), prepare, lambda client: client.close(), refused)


def refused(error: Exception) -> bool:
    """Whether Milvus, or its client before it asked, says that a question's parameters are wrong: on any connection they would be.

    A collection that is not there, or not loaded, is no refusal: `prepare` makes it again.
    """
    from pymilvus.exceptions import MilvusException, ParamError

    return isinstance(error, ParamError) or (isinstance(error, MilvusException) and error.code == _INVALID_PARAMETER)


def _connect(uri: str) -> "MilvusClient":
    # pymilvus loads a .env file from any folder above its own when it is imported; variables come from the environment alone.
    os.environ["PYTHON_DOTENV_DISABLED"] = "1"
    from pymilvus import MilvusClient

    # It logs every failure with a traceback, also those that are answered here.
    logging.getLogger("pymilvus").setLevel(logging.CRITICAL + 1)
    options = {
        # By itself gRPC waits up to two minutes before it looks again for a server that was away.
        "grpc.initial_reconnect_backoff_ms": 200,
        "grpc.max_reconnect_backoff_ms": 1000,
        # A server that nobody asks anything counts pings against a client, and breaks off: too_many_pings.
        "grpc.keepalive_permit_without_calls": False,
    }
    return MilvusClient(uri=uri, timeout=CALL, grpc_options=options)
