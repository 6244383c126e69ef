#!/bin/sh
# Start-up of a server of a blade: volumes, probes, its own user data, then the word to Heat.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"
mkdir -p /run/mkys
chmod 700 /run/mkys
mkys_failed=
mkys_fail() {
  mkys_failed=$1
  echo "mkys: $1"
}
mkys_get() { # URL FILE
  if command -v curl >/dev/null 2>&1; then
    curl -fsS -m 5 -o "$2" "$1"
  else
    timeout 5 wget -q -O "$2" "$1"
  fi
}
mkys_uptime() {
  cut -d. -f1 /proc/uptime
}
