# What a newcomer runs. `make demo` shows MKYS' main job on real parts, `make test` passes everything.
# Builds name programs and always the whole workspace: features are chosen for what is named, and other packages would have
# their dependencies compiled once more.
SHELL := /bin/sh
CARGO ?= cargo

.PHONY: demo demo-down lab lab-down check test trials bench docs

demo: ## a blade on a real cloud, visitors, games and computations; leaves everything up (PART=blade or PART=runner alone; TF= chooses the CLI)
	@echo "Building the demo: two minutes the first time, on two cores."
	@MKYS_DEMO_STARTED=$$(date +%s) && export MKYS_DEMO_STARTED && \
	  $(CARGO) build --quiet --workspace --bin demo --bin lab && exec target/debug/demo up $(PART)

demo-down: ## destroys it through the provider, stops the lab, proves that nothing is left (PART=runner: only that part)
	@echo "Building what takes it away, if that is not there."
	@$(CARGO) build --quiet --workspace --bin demo --bin lab
	@target/debug/demo down $(PART)

lab: ## the lab alone
	$(CARGO) build --quiet --workspace --bin lab
	target/debug/lab up

lab-down: ## takes away the lab, and the Kubernetes and the container engine that the tests and the demo use
	$(CARGO) build --quiet --workspace --bin lab
	target/debug/lab down
	target/debug/lab cluster down

check: ## the quick half: format, lints, unit, golden and property tests
	scripts/check.sh

test: ## everything, on the lab's real services, with terraform and tofu
	scripts/test.sh

trials: ## random faults of runs, the edge and platforms (N= of each, drawn from SEED=; WHAT= names some of: runner edge provider)
	scripts/trials.sh

bench: lab ## side by side with peers; writes docs/benchmarks.md (WHAT= names sections)
	$(CARGO) build --quiet --release --workspace --bin bench --bin lab --bin mkys-edge --bin terraform-provider-mkys
	target/release/bench $(WHAT)

docs: ## the registry's pages, from the schema
	scripts/docs.sh
