"""`python -m nextai_service_kit.healthcheck [PATH]`: exit 0 when the service of this container answers 200 on PATH (default /health).

For images without a shell. The port is $PORT, or that of the contract.json in the working directory.
"""

import http.client
import os
import sys
from pathlib import Path

from nextai_service_kit import contract


def main() -> int:
    """Ask once, and return the exit code."""
    path = sys.argv[1] if len(sys.argv) > 1 else "/health"
    port = int(os.environ.get("PORT") or contract.load(Path("contract.json")).port)
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        status = connection.getresponse().status
    except OSError as error:
        print(f"healthcheck: {error}", file=sys.stderr)
        return 1
    finally:
        connection.close()
    if status != 200:
        print(f"healthcheck: {path} answered {status}", file=sys.stderr)
    return 0 if status == 200 else 1


if __name__ == "__main__":
    sys.exit(main())
