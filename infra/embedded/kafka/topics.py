"""Makes the topics of a Kafka that are not there yet: `topics.py PACKAGES PORT TOPIC…`. Exits 0 when all are there.

It is how the embedded engine asks whether Kafka is ready, so it may be run many times, and while the broker still starts.
"""

import logging
import sys
from contextlib import suppress

PARTITIONS = 3
SECONDS = 4


def main(packages: str, port: str, *topics: str) -> int:
    """Returns the exit code: 1 with a line on standard error while the broker does not answer."""
    sys.path.insert(0, packages)
    from kafka.admin import KafkaAdminClient, NewTopic
    from kafka.errors import KafkaError, TopicAlreadyExistsError

    logging.disable(logging.CRITICAL)
    limits = {"request_timeout_ms": SECONDS * 1000, "bootstrap_timeout_ms": SECONDS * 1000}
    try:
        client = KafkaAdminClient(bootstrap_servers=f"127.0.0.1:{port}", **limits)
        there = set(client.list_topics())
        for topic in [topic for topic in topics if topic not in there]:
            with suppress(TopicAlreadyExistsError):  # another question was quicker
                client.create_topics([NewTopic(topic, PARTITIONS, 1)])
    except KafkaError as error:
        print(f"the broker does not answer yet: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
