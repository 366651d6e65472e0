#!/usr/bin/env bash
# Run a command with a Docker engine and the step images at hand, e.g.
#   infra/ci/docker.sh make test
# On a bare Debian 12 machine this installs and starts the engine; without a registry it
# makes stand-ins for the images that ours begin with. What it started, it stops.
set -euo pipefail
cd "$(dirname "$0")/../.."

scratch=$(mktemp -d)
engine=
trap clean_up EXIT
clean_up() {
  if [[ -n $engine ]]; then
    kill "$engine" 2>/dev/null || true
    wait "$engine" || true
  fi
  rm -rf "$scratch"
}

answers() { "$DOCKER" version >/dev/null 2>&1; }

main() {
  choose_client
  if ! answers; then
    if [[ $(id -u) != 0 ]]; then
      echo "docker.sh: no Docker engine answers and only root can start one: container tests" \
        "are skipped" >&2
      [[ -z ${DCGAN_REQUIRE_DOCKER:-} ]] || exit 1
      "$@"
      return
    fi
    start_engine
  fi
  stand_in python_image "$(default PYTHON_IMAGE)"
  stand_in beam_sdk_image "$(default BEAM_SDK_IMAGE)"
  write_pip_conf
  make images PIP_CONF="$scratch/pip.conf" CA="$(certificates)"
  "$@"
}

# Clients from 23.0 on need a plugin to build, buildx; Debian 12's needs none.
choose_client() {
  export DOCKER=docker
  docker buildx version >/dev/null 2>&1 || DOCKER=/usr/bin/docker
}

start_engine() {
  if [[ ! -x $(command -v dockerd) ]]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends docker.io
    choose_client
    ! answers || return 0 # systemd has started it
  fi
  dockerd >"$scratch/dockerd.log" 2>&1 &
  engine=$!
  for _ in {1..60}; do
    ! answers || return 0
    kill -0 "$engine" 2>/dev/null || break
    sleep 1
  done
  tail -n 20 "$scratch/dockerd.log" >&2
  echo "docker.sh: dockerd did not start; its last words are above" >&2
  exit 1
}

# What the Dockerfile begins with unless it is told otherwise.
default() { sed -n "s/^ARG $1=//p" infra/images/Dockerfile; }

# Pull an image, or make its stand-in under the same name where no registry answers.
stand_in() {
  "$DOCKER" image inspect "$2" >/dev/null 2>&1 && return
  timeout 300 "$DOCKER" pull --quiet "$2" && return
  echo "docker.sh: $2 cannot be pulled; making a stand-in"
  "make_$1" "$scratch/$1" "${2##*:}"
  tar -C "$scratch/$1" -c . | "$DOCKER" import - "$2"
  rm -rf "${scratch:?}/$1"
}

make_python_image() {
  command -v debootstrap >/dev/null || {
    apt-get update -qq
    apt-get install -qq --no-install-recommends debootstrap
  }
  debootstrap --variant=minbase --include=python3,python3-venv,ca-certificates bookworm "$1" \
    "$(apt-get indextargets --format '$(REPO_URI)' 'Codename: bookworm' 'Label: Debian' |
      head -n 1)" >"$scratch/debootstrap.log" || {
    tail -n 20 "$scratch/debootstrap.log" >&2
    return 1
  }
}

# The same program as in Beam's own image, from the same source.
make_beam_sdk_image() {
  GOBIN=$scratch/go GOFLAGS=-modcacherw CGO_ENABLED=0 \
    go install "github.com/apache/beam/sdks/v2/python/container@v$2"
  install -D "$scratch/go/container" "$1/opt/apache/beam/boot"
}

certificates() { echo "${PIP_CERT:-/etc/ssl/certs/ca-certificates.crt}"; }

# This machine's way to its package index; only the build sees it. Environment before files.
write_pip_conf() {
  local keys='index-url|extra-index-url|trusted-host|proxy|default-timeout|retries'
  {
    echo "[global]"
    echo "cert = /run/secrets/ca.crt"
    python3 -m pip config list | sort |
      sed -nE "s/^(:env:|global|install)\.($keys)='(.*)'$/\2 = \3/p" | awk '!seen[$1]++'
  } >"$scratch/pip.conf"
}

main "$@"
