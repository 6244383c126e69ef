#!/bin/sh
# HashiCorp's own test framework, from Go, drives the plugin's probe provider under each CLI given.
set -eu
cd "$(dirname "$0")/../../plugin/judge"
for cli; do
  TF_ACC=1 TF_ACC_TERRAFORM_PATH=$cli go test ./...
done
