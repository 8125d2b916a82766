#!/bin/sh
# Installs the real programs that tests meet, as root on Debian; elsewhere says what is not tested without them.
set -eu

MISSING=""
WITHOUT=""
# The program to look for, its package in Debian, what is not tested without it.
need() {
    if command -v "$1" >/dev/null 2>&1 || ls /usr/sbin/"$1" /usr/lib/postgresql/*/bin/"$1" >/dev/null 2>&1; then
        return
    fi
    MISSING="$MISSING $2"
    WITHOUT="$WITHOUT
  $2: $3"
}
need sipp sip-tester "calls against SIPp"
need kamailio kamailio "failover by Kamailio"
need pg_ctl postgresql "several probers with one PostgreSQL"
need promtool prometheus "rules for Prometheus, as promtool reads them"

[ -n "$MISSING" ] || exit 0
if [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ]; then
    echo "installing$MISSING"
    # Their programs are wanted, not their services.
    if [ ! -e /usr/sbin/policy-rc.d ]; then
        printf '#!/bin/sh\nexit 101\n' >/usr/sbin/policy-rc.d
        chmod +x /usr/sbin/policy-rc.d
        trap 'rm -f /usr/sbin/policy-rc.d' EXIT
    fi
    export DEBIAN_FRONTEND=noninteractive
    if apt-get update -qq && apt-get install -y -qq --no-install-recommends $MISSING >/dev/null; then
        exit 0
    fi
    echo "they could not be installed" >&2
fi
echo "not there, and therefore not tested:$WITHOUT" >&2
