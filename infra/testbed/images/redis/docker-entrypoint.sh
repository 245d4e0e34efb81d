#!/bin/sh
# As in the official image: options and a configuration file are arguments of redis-server, which runs as redis. The official
# build has no protected mode unless it is asked for; Debian's has.
set -e
case "${1:-}" in -* | *.conf) set -- redis-server "$@" ;; esac
if [ "${1:-}" = redis-server ]; then
    case "${2:-}" in
        "" | -*)
            shift
            set -- redis-server --protected-mode no "$@"
            ;;
        *) grep -Eq '^ *protected-mode' "$2" || set -- "$@" --protected-mode no ;;
    esac
    if [ "$(id -u)" = 0 ]; then
        find . \! -user redis -exec chown redis '{}' +
        exec gosu redis "$0" "$@"
    fi
fi
exec "$@"
