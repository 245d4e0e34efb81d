#!/bin/sh
# As in the official image: what is not a command of this image is an argument of node.
set -e
case "${1:-}" in
    -*) set -- node "$@" ;;
    *) command -v "${1:-}" >/dev/null 2>&1 || set -- node "$@" ;;
esac
exec "$@"
