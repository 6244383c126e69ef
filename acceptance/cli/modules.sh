#!/bin/sh
# Modules and examples under each CLI given: format, validate, and the modules' own tests (which plan without a cloud).
set -eu
cd "$(dirname "$0")/../.."
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
trap 'exit 130' INT TERM
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
for host in registry.terraform.io registry.opentofu.org; do
  place=$work/mirror/$host/mkys/mkys/$version/linux_amd64
  mkdir -p "$place"
  cp target/debug/terraform-provider-mkys "$place/terraform-provider-mkys_v$version"
done
cat >"$work/rc" <<END
disable_checkpoint = true
provider_installation {
  filesystem_mirror {
    path = "$work/mirror"
  }
}
END
# no cloud is named, so plans are made without one
unset OS_CLOUD OS_AUTH_URL
export TF_CLI_CONFIG_FILE="$work/rc" OS_CLIENT_CONFIG_FILE=/nonexistent TF_IN_AUTOMATION=1
for cli; do
  "$cli" fmt -check -recursive modules examples
  tree=$work/$(basename "$cli")
  mkdir -p "$tree/examples"
  cp -r modules "$tree/modules"
  cp -r examples/quickstart "$tree/examples/quickstart"
  for folder in "$tree"/modules/* "$tree"/examples/quickstart; do
    "$cli" -chdir="$folder" init -no-color -input=false >"$work/log" || { cat "$work/log"; exit 1; }
    "$cli" -chdir="$folder" validate -no-color >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
    if [ -d "$folder/tests" ]; then
      "$cli" -chdir="$folder" test -no-color >"$work/log" 2>&1 || { cat "$work/log"; exit 1; }
      tail -n 1 "$work/log"
    fi
  done
done
