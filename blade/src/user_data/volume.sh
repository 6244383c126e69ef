mkys_device() { # VOLUME_ID: the first 20 characters are a virtio disk's serial number
  mkys_serial=$(printf %.20s "$1")
  for mkys_disk in /sys/block/*; do
    if [ "$(cat "$mkys_disk/serial" 2>/dev/null)" = "$mkys_serial" ]; then
      echo "/dev/${mkys_disk##*/}"
      return
    fi
  done
  for mkys_disk in /dev/disk/by-id/*"$mkys_serial"*; do
    [ ! -b "$mkys_disk" ] || { readlink -f "$mkys_disk"; return; }
  done
}
mkys_mount() { # VOLUME_ID DIRECTORY
  mkys_end=$(($(mkys_uptime) + 180))
  until mkys_dev=$(mkys_device "$1") && [ -b "$mkys_dev" ]; do
    [ "$(mkys_uptime)" -lt "$mkys_end" ] || { mkys_fail "volume $1 for $2 was not attached"; return; }
    sleep 1
  done
  # only a volume that holds nothing at all gets a file system
  if [ "$(dd if="$mkys_dev" bs=1048576 count=1 2>/dev/null | tr -d '\000' | wc -c)" -eq 0 ]; then
    mkfs.ext4 -q "$mkys_dev" 2>/dev/null || mkfs.ext2 "$mkys_dev" >/dev/null ||
      { mkys_fail "no file system could be made on volume $1"; return; }
  fi
  mkdir -p "$2"
  mount "$mkys_dev" "$2" || mkys_fail "volume $1 could not be mounted at $2"
}
