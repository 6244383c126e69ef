#!/bin/sh
# Checks licences, bans and sources of all that is depended on, by deny.toml.
# cargo-deny is built once, about 4 minutes, and kept outside the checkout by version.
set -eu
cd "$(dirname "$0")/.."
version=0.20.2
root=${MKYS_CACHE:-/var/cache/mkys}/cargo-deny-$version
if [ ! -x "$root/bin/cargo-deny" ]; then
  echo "building cargo-deny $version, once; about 4 minutes" >&2
  # its own target folder: the workspace's is not to be filled with it
  CARGO_TARGET_DIR=$root/target cargo install --locked --root "$root" --version "$version" cargo-deny >&2
  rm -rf "$root/target"
fi
# --locked: what is checked is what is built
exec "$root/bin/cargo-deny" --locked check --hide-inclusion-graph licenses bans sources
