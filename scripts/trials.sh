#!/bin/sh
# Trials of the runner on both executors: N of them on each, drawn from SEED. Says at the end what happened in them; of 50 or more, each thing that
# they are about has to have happened.
set -eu
cd "$(dirname "$0")/.."
MKYS_KUBERNETES=$(acceptance/cli/build-kubernetes.sh)
MKYS_STATIC=$(scripts/static.sh mkys-init kdpp)
export MKYS_KUBERNETES MKYS_STATIC
cargo build --quiet --workspace --bin lab --bin mkys-run --examples
N=${N:-100} SEED=${SEED:-1} cargo test --quiet --workspace --test trials -- --nocapture
