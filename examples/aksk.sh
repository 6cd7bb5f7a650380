#!/bin/sh
# Prints the headers of one signed request as curl reads them: aksk.sh KEY SECRET | curl -K - ...
set -eu
nonce=$(openssl rand -hex 16)
created=$(date -u +%Y-%m-%dT%H:%M:%SZ)
digest=$(printf '%s%s' "$nonce" "$created" | openssl dgst -sha256 -hmac "$2" -binary | base64)
cat <<HEADERS
header = "Content-Type: application/json;charset=UTF-8"
header = "Authorization: AKSK realm=\"SDP\",profile=\"UsernameToken\",type=\"Appkey\""
header = "X-AKSK: UsernameToken Username=\"$1\", PasswordDigest=\"$digest\", Nonce=\"$nonce\", Created=\"$created\""
HEADERS
