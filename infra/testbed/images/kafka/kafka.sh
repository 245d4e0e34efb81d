#!/bin/bash
# Kafka's command line programs, by the name that this one is called by. As theirs, it knows KAFKA_HEAP_OPTS and KAFKA_OPTS.
set -e
case "$(basename "$0" .sh)" in
    kafka-server-start) program=kafka.Kafka ;;
    kafka-storage) program=kafka.tools.StorageTool ;;
    kafka-topics) program=org.apache.kafka.tools.TopicCommand ;;
    kafka-console-producer) program=org.apache.kafka.tools.ConsoleProducer ;;
    kafka-console-consumer) program=org.apache.kafka.tools.consumer.ConsoleConsumer ;;
    kafka-consumer-groups) program=org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
esac
level=error
if [ "$program" = kafka.Kafka ]; then level=info; fi
# shellcheck disable=SC2086 # options are several words
exec java ${KAFKA_HEAP_OPTS:--Xmx1g} -XX:+UseSerialGC ${KAFKA_OPTS:-} "-Dorg.apache.logging.log4j.level=$level" -cp '/opt/kafka/libs/*' "$program" "$@"
