"""The queues of an AMQP 0-9-1 broker: `queues.py make|list PACKAGES PORT USER QUEUE…`, with the password as RABBITMQ_PASSWORD.

`make` makes those that are not there yet, and exits 0 when all are there. It is how the embedded engine asks whether the broker is ready,
so it may be run many times, and while the broker still starts. `list` prints the messages and consumers of each.
"""

import logging
import os
import sys

SECONDS = 5


def main(what: str, packages: str, port: str, user: str, *queues: str) -> int:
    """Returns the exit code: 1 with a line on standard error while the broker does not answer."""
    sys.path.insert(0, packages)
    import pika
    from pika.exceptions import AMQPError

    logging.disable(logging.CRITICAL)
    account = pika.PlainCredentials(user, os.environ["RABBITMQ_PASSWORD"])
    limits = {"socket_timeout": SECONDS, "stack_timeout": SECONDS, "blocked_connection_timeout": SECONDS}
    try:
        connection = pika.BlockingConnection(pika.ConnectionParameters("127.0.0.1", int(port), credentials=account, **limits))
        channel = connection.channel()
        if what == "list":
            print("queue", "messages", "consumers", sep="\t")
        for queue in queues:
            found = channel.queue_declare(queue, durable=True, passive=what == "list").method
            if what == "list":
                print(queue, found.message_count, found.consumer_count, sep="\t")
        connection.close()
    except (AMQPError, OSError) as error:
        print(f"the broker does not answer: {error!r}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
