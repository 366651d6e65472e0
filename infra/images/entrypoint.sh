#!/bin/sh
# Beam starts its containers with options for its boot program; all else is a command.
case "$1" in
  --*) exec /opt/apache/beam/boot "$@" ;;
  *) exec "$@" ;;
esac
