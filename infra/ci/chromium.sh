#!/usr/bin/env bash
# Bring the browser that pages are tested in: where there is none, root on Debian installs it.
set -euo pipefail
command -v chromium >/dev/null || command -v google-chrome >/dev/null || {
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -qq --no-install-recommends chromium
}
