#!/bin/sh
# Builds a release into dist/ as .goreleaser.yml says, without a tag, signing or publishing anything.
# About 10 minutes on two cores the first time.
# goreleaser is built once, about 7 minutes, and kept outside the checkout by version.
set -eu
cd "$(dirname "$0")/.."
version=2.16.0
tool=${MKYS_CACHE:-/var/cache/mkys}/goreleaser-$version
if [ ! -x "$tool/goreleaser" ]; then
  echo "building goreleaser $version, once" >&2
  CGO_ENABLED=0 GOBIN=$tool go install "github.com/goreleaser/goreleaser/v2@v$version"
fi
MKYS_VERSION=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
export MKYS_VERSION
"$tool/goreleaser" check
exec "$tool/goreleaser" release --snapshot --clean --skip=sign
