#!/bin/sh
# The browser for the console's tests: Debian's chromium, where it is there already or can be installed by us.
# Anywhere else the browser tests are skipped, and say so.
set -u
if command -v chromium >/dev/null 2>&1; then
    exit 0
fi
if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null 2>&1; then
    (apt-get update && apt-get install -y --no-install-recommends chromium) >/dev/null 2>&1 && exit 0
fi
echo "no chromium here and none could be installed: the browser tests will be skipped"
exit 0
