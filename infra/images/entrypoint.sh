#!/bin/sh
# Where the root is read-only, /dev/shm is what anybody can write to. (Kubernetes' `command`
# passes this script by: there, a read-only root wants an emptyDir at /tmp.)
[ -w /tmp ] || export HOME=/dev/shm TMPDIR=/dev/shm
# Beam starts its containers with options for its boot program, which writes to where it is;
# all else is a command.
case "${1:-}" in
  --*) cd "$HOME" && exec /opt/apache/beam/boot "$@" ;;
  *) exec "$@" ;;
esac
