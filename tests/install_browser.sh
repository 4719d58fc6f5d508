#!/bin/sh
# The browser for the console's tests: Debian's chromium, where it is there already or can be installed by us. Its
# headless shell is preferred: it draws the same for half the price. Anywhere else the browser tests are skipped, and
# say so.
set -u
there() { command -v "$1" >/dev/null 2>&1; }
install() { apt-get install -y --no-install-recommends "$1" >/dev/null 2>&1; }

there chromium-headless-shell && exit 0
if [ "$(id -u)" = 0 ] && there apt-get; then
    install chromium-headless-shell && exit 0
    there chromium && exit 0
    apt-get update >/dev/null 2>&1
    install chromium-headless-shell && exit 0
    install chromium && exit 0
fi
there chromium && exit 0
echo "no chromium here and none could be installed: the browser tests will be skipped"
exit 0
