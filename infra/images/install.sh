#!/bin/sh
# Install locks into /opt/venv, less the tests and C++ headers that packages bring along,
# and list what the image now holds.
set -eu
site=/opt/venv/lib/python3.11/site-packages
[ ! -e /run/secrets/ca.crt ] || export PIP_CERT=/run/secrets/ca.crt
export PIP_CONFIG_FILE=/run/secrets/pip.conf PIP_CACHE_DIR=/mnt/pip-cache

cd /mnt/locks
# shellcheck disable=SC2046  # one word per option and lock
/mnt/tools/bin/pip --python /opt/venv/bin/python install --no-deps --require-hashes \
  $(printf -- '-r %s ' "$@")
find "$site" -type d \( -name tests -o -name _tests \) -prune -exec rm -r {} +
find "$site" -regex '.*_tests?\(\.cpython-[0-9]*\)?\.pyc?' -delete
rm -rf "$site/tensorflow/include"
/mnt/tools/bin/python /mnt/tools/bin/sbom.py "$site" /opt/sbom.cdx.json
