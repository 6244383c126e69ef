#!/bin/sh
# Builds a real Kubernetes, with etcd and a plugin of simulated GPUs, from Go modules, and keeps it outside the checkout by version.
# Prints the folder of its components. 5 to 12 minutes the first time, nothing afterwards.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
version=1.35.4
kubernetes=k8s.io/kubernetes@v$version
# what is built is the modules' version and our own two files
own=$(cat "$here"/kubernetes/*.go | sha256sum | cut -c1-8)
cache=${MKYS_CACHE:-/var/cache/mkys}/kubernetes-$version-$own
components="etcd gpu-plugin kube-apiserver kube-controller-manager kube-proxy kube-scheduler kubectl kubelet"
if [ ! -x "$cache/kubernetes" ]; then
  command -v go >/dev/null || { echo "Kubernetes is built from its Go module, and there is no go on PATH" >&2; exit 1; }
  mkdir -p "$cache"
  work=$(mktemp -d "$cache/build.XXXXXX")
  trap 'rm -rf "$work"' EXIT INT TERM
  cp "$here"/kubernetes/*.go "$work/"
  echo "building Kubernetes $version, once; about 10 minutes" >&2
  cd "$work"
  source=$(go mod download -json "$kubernetes" | sed -n 's/^\t"Dir": "\(.*\)",$/\1/p')
  # Kubernetes keeps its libraries beside it, and names them by their paths there; a user of its module has them by their versions.
  sed -E -e "s#^module .*#module mkys/kubernetes#" \
    -e "s#=> \./staging/src/(k8s\.io/[a-z-]+)#=> \1 v0.${version#1.}#" \
    -e "s#^(\tk8s\.io/[a-z-]+) v0\.0\.0\$#\1 v0.${version#1.}#" \
    -e "0,/^require \(/s##require (\n\tk8s.io/kubernetes v$version#" "$source/go.mod" >go.mod
  install -m 644 "$source/go.sum" go.sum
  about=k8s.io/component-base/version
  CGO_ENABLED=0 go build -mod=mod -trimpath -o "$work/kubernetes" \
    -ldflags "-s -w -X $about.gitVersion=v$version -X $about.gitMajor=1 -X $about.gitMinor=35 -X $about.gitTreeState=clean -X $about.gitCommit=none" . >&2
  for component in $components; do ln -sf kubernetes "$cache/$component"; done
  # the rename is what makes it there: an interrupted build leaves nothing that looks whole
  mv "$work/kubernetes" "$cache/kubernetes"
fi
echo "$cache"
