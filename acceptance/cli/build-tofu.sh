#!/bin/sh
# Builds OpenTofu from its Go module and keeps it outside the checkout, by version.
# Prints the path of the binary. About 10 minutes the first time, nothing afterwards.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
version=$(sed -n 's|^require github.com/opentofu/opentofu v||p' "$here/tofu/go.mod")
cache=${MKYS_CACHE:-/var/cache/mkys}/tofu-$version
if [ ! -x "$cache/tofu" ]; then
  command -v go >/dev/null || { echo "OpenTofu is built from its Go module, and there is no go on PATH" >&2; exit 1; }
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT INT TERM
  cp "$here/tofu/go.mod" "$work/go.mod"
  echo "building OpenTofu $version, once; about 10 minutes" >&2
  (cd "$work" && CGO_ENABLED=0 GOFLAGS=-mod=mod go build -trimpath \
    -ldflags "-s -w -X github.com/opentofu/opentofu/version.dev=no" \
    -o "$work/tofu" github.com/opentofu/opentofu/cmd/tofu) >&2
  # the rename is what makes it there: an interrupted build leaves nothing that looks whole
  mv "$work/tofu" "$cache/tofu"
fi
echo "$cache/tofu"
