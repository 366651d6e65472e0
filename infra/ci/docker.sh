#!/usr/bin/env bash
# Run a command with a Docker engine and the step images at hand, e.g.
#   infra/ci/docker.sh make test
# Where no engine answers, root on Debian 12 gets one; where it reaches no registry either, the
# images that ours begin with get stand-ins (Beam's is compiled, which needs Go). What this
# started, it stops.
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d)
engine=
stand_ins=()
trap clean_up EXIT
clean_up() {
  if [[ -n $engine ]]; then
    [[ ${#stand_ins[@]} == 0 ]] || "$DOCKER" rmi "${stand_ins[@]}" >/dev/null || true
    kill "$engine" 2>/dev/null || true
    wait "$engine" || true
  fi
  rm -rf "$scratch"
}

fail() {
  echo "docker.sh: $*" >&2
  exit 1
}

answers() { "$DOCKER" version >/dev/null 2>&1; }

main() {
  choose_client
  if ! answers; then
    if [[ $(id -u) != 0 ]]; then
      local reason="no Docker engine answers, and only root can start one"
      [[ -z ${DCGAN_REQUIRE_ALL:-} ]] || fail "$reason"
      echo "docker.sh: $reason: the container tests will be skipped" >&2
      "$@"
      return
    fi
    start_engine
    stand_in PYTHON_IMAGE make_python_image
    stand_in BEAM_SDK_IMAGE make_beam_sdk_image
  fi
  write_pip_conf
  make images PIP_CONF="$scratch/pip.conf" CA="${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}"
  "$@"
}

# Clients from 23.0 on need a plugin to build, buildx; Debian 12's needs none.
choose_client() {
  export DOCKER=docker
  docker buildx version >/dev/null 2>&1 || DOCKER=/usr/bin/docker
}

install_packages() {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends "$@"
}

start_engine() {
  if [[ ! -x $(command -v dockerd) ]]; then
    # Debian starts what it installs unless this says no; our engine must be ours to stop.
    local policy=/usr/sbin/policy-rc.d made=
    if [[ ! -e $policy ]]; then
      install -m 755 <(printf '#!/bin/sh\nexit 101\n') "$policy"
      made=$policy
    fi
    install_packages docker.io
    [[ -z $made ]] || rm "$made"
    choose_client
  fi
  dockerd >"$scratch/dockerd.log" 2>&1 &
  engine=$!
  for _ in {1..60}; do
    ! answers || return 0
    kill -0 "$engine" 2>/dev/null || break
    sleep 1
  done
  tail -n 20 "$scratch/dockerd.log" >&2
  fail "dockerd did not start; its last words are above"
}

# Pull an image that the Dockerfile begins with, or make its stand-in under the same name.
stand_in() {
  local name root=$scratch/root
  name=$(sed -n "s/^ARG $1=//p" infra/images/Dockerfile)
  ! "$DOCKER" image inspect "$name" >/dev/null 2>&1 || return 0
  ! timeout 600 "$DOCKER" pull --quiet "$name" || return 0
  echo "docker.sh: $name cannot be pulled; making a stand-in"
  "$2" "$root" "${name##*:}"
  tar -C "$root" -c . | "$DOCKER" import - "$name"
  stand_ins+=("$name")
  rm -rf "$root"
}

make_python_image() {
  local mirror
  command -v debootstrap >/dev/null || install_packages debootstrap
  # shellcheck disable=SC2016  # apt's variable, not the shell's
  mirror=$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Label: Debian' |
    head -n 1)
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$1" \
    "$mirror" >"$scratch/debootstrap.log" || {
    tail -n 20 "$scratch/debootstrap.log" >&2
    fail "debootstrap failed; its last words are above"
  }
}

# The same program as in Beam's own image, from the same source.
make_beam_sdk_image() {
  command -v go >/dev/null || fail "Beam's boot program has to be compiled: install Go"
  GOMODCACHE=$scratch/modules GOFLAGS=-modcacherw GOBIN=$scratch/go CGO_ENABLED=0 \
    go install "github.com/apache/beam/sdks/v2/python/container@v$2"
  install -D "$scratch/go/container" "$1/opt/apache/beam/boot"
}

# This machine's way to its package index, environment before files; only the build sees it.
write_pip_conf() {
  local keys='index-url|extra-index-url|trusted-host|proxy|default-timeout|retries'
  {
    echo "[global]"
    { python3.11 -m pip config list || true; } 2>/dev/null | sort |
      sed -nE "s/^(:env:|global|install)\.($keys)='(.*)'$/\2 = \3/p" | awk '!seen[$1]++'
  } >"$scratch/pip.conf"
}

main "$@"
