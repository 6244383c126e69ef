#!/bin/sh
# Builds the static first process of a run's container, for any Linux container of this machine's kind; prints where it is.
set -eu
cd "$(dirname "$0")/.."
host=$(rustc -vV | sed -n 's/^host: //p')
# a target named by itself keeps the flag from build scripts and macros, which can't be static
RUSTFLAGS="-C target-feature=+crt-static" \
  cargo build --quiet --release -p mkys-init --target "$host" --target-dir target/static
echo "$PWD/target/static/$host/release/mkys-init"
