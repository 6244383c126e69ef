#!/bin/sh
# Generates docs/ from the provider's own schema, templates/ and examples/, and checks the examples.
# With --check it fails when that changed a file. Needs Rust, Go, and terraform or tofu (TF= chooses).
set -eu
cd "$(dirname "$0")/.."
version=0.25.0
case "${1:-}" in
  "" | --check) ;;
  *) echo "usage: scripts/docs.sh [--check]" >&2; exit 2 ;;
esac

# -- tfplugindocs: built once, about half a minute, and kept outside the checkout ----------------------
tool=${MKYS_CACHE:-/var/cache/mkys}/tfplugindocs-$version
if [ ! -x "$tool/tfplugindocs" ]; then
  echo "building tfplugindocs $version, once" >&2
  CGO_ENABLED=0 GOBIN=$tool go install "github.com/hashicorp/terraform-plugin-docs/cmd/tfplugindocs@v$version"
fi

# -- a CLI, pointed at the provider that was just built: no registry is asked ---------------------------
cli=${TF:-}
for one in terraform tofu; do
  [ -n "$cli" ] || ! command -v "$one" >/dev/null || cli=$one
done
[ -n "$cli" ] || cli=$(sh acceptance/cli/build-tofu.sh)
# as the tests are built: dependencies are compiled once for both
cargo build --quiet --workspace --bin terraform-provider-mkys --examples
target=${CARGO_TARGET_DIR:-$PWD/target}/debug
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
cat >"$work/rc" <<END
provider_installation {
  dev_overrides { "mkys/mkys" = "$target" }
  direct {}
}
END
export TF_CLI_CONFIG_FILE="$work/rc"
cat >"$work/versions.tf" <<'END'
terraform {
  required_providers {
    mkys = { source = "mkys/mkys" }
  }
}
END

# -- examples: formatted, and valid for the schema that they illustrate ---------------------------------
"$cli" fmt -check -diff -recursive examples
for file in examples/provider/provider.tf examples/resources/*/resource.tf examples/functions/*/function.tf; do
  folder=$work/example
  mkdir "$folder"
  cp "$file" "$folder/main.tf"
  grep -q required_providers "$file" || cp "$work/versions.tf" "$folder"
  "$cli" -chdir="$folder" validate >"$work/said" 2>&1 || { echo "$file:" >&2; cat "$work/said" >&2; exit 1; }
  rm -r "$folder"
done

# -- the pages of errors: their tables are read from the code; that they are as it says is a test ---------
if [ -z "${1:-}" ]; then
  MKYS_DOCS=write cargo test --quiet --workspace --test troubleshooting
  MKYS_DOCS=write cargo test --quiet --workspace --lib -- troubleshooting page::
fi

# -- pages: tfplugindocs looks a provider up by its short name, whichever registry the CLI thinks of ------
"$cli" -chdir="$work" providers schema -json >"$work/schema" 2>"$work/said" || { cat "$work/said" >&2; exit 1; }
sed 's|"registry\.[a-z.]*/mkys/mkys":|"mkys":|' "$work/schema" >"$work/schema.json"
"$tool/tfplugindocs" generate --provider-name mkys --rendered-provider-name MKYS \
  --providers-schema "$work/schema.json" >"$work/said" 2>&1 || { cat "$work/said" >&2; exit 1; }

# the rest of docs/ is written by hand
set -- "${1:-}" docs/index.md docs/resources docs/data-sources docs/functions docs/guides
mode=$1
shift
if [ "$mode" = --check ] && [ -n "$(git status --porcelain -- "$@")" ]; then
  echo "docs/ is not what the schema, templates/ and examples/ give; run scripts/docs.sh and commit:" >&2
  git status --short -- "$@" >&2
  git --no-pager diff -- "$@" >&2
  exit 1
fi
