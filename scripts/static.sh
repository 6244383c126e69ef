#!/bin/sh
# Builds programs that run in any Linux container of this machine's kind, whatever is in it: linked statically. Prints the folder.
#   scripts/static.sh PACKAGE...
set -eu
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
for package; do
  set -- "$@" --package "$package"
  shift
done
# a target named by itself keeps the flag from build scripts and macros, which can't be static
RUSTFLAGS="-C target-feature=+crt-static" \
  cargo build --quiet --release "$@" --target "$host" --target-dir target/static
echo "$PWD/target/static/$host/release"
