#!/bin/sh
# Trials, drawn from SEED: whatever is done to them, a platform goes on to any version, the edge serves exactly what it acknowledged, and runs
# end as they should. N of each kind: runs on both executors, the edge, platforms on the lab's OpenStack with terraform and with tofu.
# WHAT= names some of: runner edge provider. Says at the end what happened; of many, each thing that they are about has to have happened.
set -eu
cd "$(dirname "$0")/.."
what=${WHAT:-runner edge provider}
export N="${N:-100}" SEED="${SEED:-1}"
cargo build --quiet --workspace --bins --examples
for one in $what; do
  case $one in
    runner)
      MKYS_KUBERNETES=$(acceptance/cli/build-kubernetes.sh)
      MKYS_STATIC=$(scripts/static.sh mkys-init kdpp)
      export MKYS_KUBERNETES MKYS_STATIC
      cargo test --quiet --workspace --test trials -- --nocapture
      ;;
    edge)
      target/debug/lab install
      cargo test --quiet --workspace --test edge_sessions -- --nocapture trials::
      ;;
    provider)
      tofu=$(acceptance/cli/build-tofu.sh)
      MKYS_CLIS=$(command -v terraform || acceptance/cli/build-terraform.sh):$tofu
      export MKYS_CLIS
      target/debug/lab up
      cargo test --quiet --workspace --test scenarios -- --nocapture trials::
      ;;
    *)
      echo "scripts/trials.sh: WHAT=$one is none of: runner edge provider" >&2
      exit 2
      ;;
  esac
done
