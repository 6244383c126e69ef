#!/bin/sh
# Builds Terraform from its Go module and keeps it outside the checkout, by version: for machines without one.
set -eu
version=1.13.3
cache=${MKYS_CACHE:-/var/cache/mkys}/terraform-$version
if [ ! -x "$cache/terraform" ]; then
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT INT TERM
  echo "building Terraform $version, once; about 10 minutes" >&2
  CGO_ENABLED=0 GOBIN=$work go install -trimpath -ldflags "-s -w" "github.com/hashicorp/terraform@v$version" >&2
  mv "$work/terraform" "$cache/terraform"
fi
echo "$cache/terraform"
