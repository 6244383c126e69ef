#!/bin/sh
# Everything: the quick half, licences, the plugin under every CLI, the modules, the generated pages, and the
# scenarios on the lab's real services. Brings up what it needs; a CLI that is absent is built, never skipped.
set -eu
cd "$(dirname "$0")/.."
start=$(date +%s)
say() { printf '\n== [%4s s] %s\n' "$(($(date +%s) - start))" "$*"; }

say "the lab, and meanwhile the builds"
# always the whole workspace, and with its examples, which have the tests' features: dependencies are compiled once for all that follows
cargo build --quiet --workspace --bin lab --examples
mkdir -p target
target/debug/lab up >target/lab.log 2>&1 &
lab=$!
trap 'kill "$lab" 2>/dev/null || true' EXIT INT TERM
tofu=$(acceptance/cli/build-tofu.sh)
terraform=$(command -v terraform || acceptance/cli/build-terraform.sh)
MKYS_KUBERNETES=$(acceptance/cli/build-kubernetes.sh)
export MKYS_KUBERNETES
cargo build --quiet --workspace --bins --examples

say "format, lints, unit, golden, property and doc tests"
scripts/check.sh

say "licences, bans and sources"
scripts/deny.sh

say "the plugin under $terraform and $tofu"
TF_CLIS="$terraform:$tofu" cargo test --quiet --workspace --test conformance

say "the plugin, judged from outside"
acceptance/cli/judge.sh "$terraform" "$tofu"

say "modules and examples: format, validate, tests in both"
acceptance/cli/modules.sh "$terraform" "$tofu"

say "the generated pages are as the schema says"
TF=$terraform scripts/docs.sh --check

say "the first process of a run's container"
cargo test --quiet --workspace --test life

say "the lab"
trap - EXIT INT TERM
if ! wait "$lab"; then
  cat target/lab.log
  exit 1
fi
tail -n 1 target/lab.log
MKYS_CLIS="$terraform:$tofu"
export MKYS_CLIS

say "the game by itself"
target/debug/lab install --runs
(cd examples/games/hex && npm ci --ignore-scripts --no-audit --no-fund --silent && npm test --silent -- --test-reporter=spec)

say "session routes on a real NGINX"
cargo test --quiet --workspace --test edge_sessions

say "runs on a container engine and on Kubernetes"
MKYS_STATIC=$(scripts/static.sh mkys-init kdpp)
MKYS_ROC_VALIDATOR=$(acceptance/cli/ro-crate-validator.sh)
export MKYS_STATIC MKYS_ROC_VALIDATOR
cargo test --quiet --workspace --test runner -- --test-threads=4

say "trials: owners are killed, executors go away"
N=${N:-6} cargo test --quiet --workspace --test trials

say "scenarios on the lab"
# last: its closing lines are the ones that whoever runs this reads
cargo test --workspace --test scenarios -- --test-threads=3
# silent where all is well: the lab as a whole must have come through, with no agent that retries a command
target/debug/lab doctor >target/doctor.log || { cat target/doctor.log; exit 1; }
