mkys_signal() { # SUCCESS|FAILURE REASON
  echo "mkys: $1: $2"
  mkys_body="{\"status\":\"$1\",\"reason\":\"$2\",\"id\":\"mkys\",\"data\":\"\"}"
  for mkys_try in 1 2 3 4 5 6 7 8; do
    if command -v curl >/dev/null 2>&1; then
      curl -fsS -m 10 -o /dev/null -H 'Content-Type: application/json' \
        -H 'X-Auth-Token: @mkys-token@' -d "$mkys_body" '@mkys-endpoint@' && return 0
    else
      timeout 10 wget -q -O /dev/null --header 'Content-Type: application/json' \
        --header 'X-Auth-Token: @mkys-token@' --post-data "$mkys_body" '@mkys-endpoint@' && return 0
    fi
    sleep "$mkys_try"
  done
  echo "mkys: Heat cannot be reached to say: $1: $2"
  return 1
}
mkys_ready() { # URL SECONDS
  if [ -n "$mkys_failed" ]; then
    mkys_signal FAILURE "$mkys_failed"
    return
  fi
  mkys_end=$(($(mkys_uptime) + $2))
  until mkys_get "$1" /run/mkys/ready 2>/run/mkys/ready.error; do
    if [ "$(mkys_uptime)" -ge "$mkys_end" ]; then
      mkys_why=$(tail -n 1 /run/mkys/ready.error | tr -cd 'A-Za-z0-9 .,:/()_-' | cut -c 1-200)
      mkys_signal FAILURE "$1 did not answer 200 within $2 s of the boot: $mkys_why"
      return
    fi
    sleep 1
  done
  mkys_signal SUCCESS "$1 answered after $(mkys_uptime) s"
}
