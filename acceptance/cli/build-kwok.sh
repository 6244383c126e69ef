#!/bin/sh
# Builds kwok, which plays nodes and what happens to their pods, from its Go module, and keeps it outside the checkout by version.
# Prints the folder with the program and its stages. About 3 minutes the first time, nothing afterwards.
set -eu
version=0.8.0
module=sigs.k8s.io/kwok@v$version
cache=${MKYS_CACHE:-/var/cache/mkys}/kwok-$version
if [ ! -x "$cache/kwok" ]; then
  command -v go >/dev/null || { echo "kwok is built from its Go module, and there is no go on PATH" >&2; exit 1; }
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT INT TERM
  echo "building kwok $version, once; about 3 minutes" >&2
  cd "$work"
  source=$(go mod download -json "$module" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  cp "$source/go.mod" "$source/go.sum" .
  chmod u+w go.mod go.sum
  # a module of our own that has kwok's choice of versions, and kwok itself
  sed -i -E -e "s#^module .*#module mkys/kwok#" -e "0,/^require \(/s##require (\n\tsigs.k8s.io/kwok v$version#" go.mod
  CGO_ENABLED=0 go build -mod=mod -trimpath -ldflags "-s -w" -o "$work/kwok" sigs.k8s.io/kwok/cmd/kwok >&2
  # nodes that are ready and stay it, pods of jobs that succeed at once
  for stage in node/fast/node-initialize node/heartbeat-with-lease/node-heartbeat-with-lease \
    pod/fast/pod-ready pod/fast/pod-complete pod/fast/pod-delete; do
    echo '---'
    cat "$source/kustomize/stage/$stage.yaml"
  done >"$work/stages.yaml"
  mv "$work/stages.yaml" "$cache/stages.yaml"
  # the rename is what makes it there: an interrupted build leaves nothing that looks whole
  mv "$work/kwok" "$cache/kwok"
fi
echo "$cache"
