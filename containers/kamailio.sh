#!/bin/sh
# Starts Kamailio. SIP_PASSWORD is that of every phone; EXTERNAL_ADDRESS is where phones outside find this machine.
set -eu
: "${SIP_PASSWORD:?must be set}"
outer="udp:172.28.0.60:5060"
[ -z "${EXTERNAL_ADDRESS:-}" ] || outer="$outer/$EXTERNAL_ADDRESS:5060"
exec kamailio -DD -E -m 64 -M 8 -Y /run/kamailio -f /etc/kamailio/kamailio.cfg -l "$outer" -l udp:172.28.0.60:5070
