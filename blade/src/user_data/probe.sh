mkys_probe_node() { # SOURCE, or nothing: from the image's package manager
  if ! command -v prometheus-node-exporter >/dev/null 2>&1 && [ ! -x /usr/local/bin/node_exporter ]; then
    if [ -n "$1" ]; then
      mkdir -p /usr/local/bin
      for mkys_try in 1 2 3 4 5; do
        mkys_get "$1" /usr/local/bin/node_exporter && break
        sleep "$mkys_try"
      done
      chmod 755 /usr/local/bin/node_exporter
    elif command -v apt-get >/dev/null 2>&1; then
      apt-get update -q && DEBIAN_FRONTEND=noninteractive apt-get install -y -q prometheus-node-exporter
    elif command -v dnf >/dev/null 2>&1; then
      dnf install -y -q golang-github-prometheus-node-exporter && systemctl enable --now prometheus-node-exporter
    fi
  fi
  mkys_exporter=$(command -v prometheus-node-exporter || echo /usr/local/bin/node_exporter)
  if ! [ -s "$mkys_exporter" ]; then
    mkys_fail "the node probe could not be installed"
  elif command -v systemctl >/dev/null 2>&1; then
    systemctl is-active -q prometheus-node-exporter || systemd-run --unit=mkys-node-exporter "$mkys_exporter"
  else
    setsid "$mkys_exporter" --web.listen-address=:9100 >/run/mkys/node_exporter.log 2>&1 &
  fi
}
