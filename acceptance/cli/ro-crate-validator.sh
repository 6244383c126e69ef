#!/bin/sh
# The RO-Crate validator from PyPI, with the one context that our crates name in its cache: it works without the internet.
# Kept outside the checkout by version. Prints a program that takes a crate's folder.
set -eu
version=0.13.0
contexts=0.11.0 # of the rocrate package: the last that has the context of RO-Crate 1.1
place=${MKYS_CACHE:-/var/cache/mkys}/roc-validator-$version-$contexts
if [ ! -x "$place/validate" ]; then
  rm -rf "$place"
  mkdir -p "$place"
  python3 -m venv "$place/venv" >&2
  "$place/venv/bin/pip" install --quiet "roc-validator==$version" >&2
  "$place/venv/bin/pip" download --quiet --no-deps --dest "$place" "rocrate==$contexts" >&2
  "$place/venv/bin/python" - "$place" >&2 <<'PYTHON'
"""Puts the context into the validator's cache, as if it had come from its address."""
import glob
import sys
import zipfile
from io import BytesIO

import requests
import urllib3
from requests_cache import CachedSession

place = sys.argv[1]
wheel = zipfile.ZipFile(glob.glob(f"{place}/rocrate-*.whl")[0])
context = wheel.read("rocrate/data/ro-crate.jsonld")


class Bundled(requests.adapters.HTTPAdapter):
    def send(self, request, **_):
        raw = urllib3.HTTPResponse(
            body=BytesIO(context),
            headers={"Content-Type": "application/ld+json"},
            status=200,
            preload_content=False,
            request_method=request.method,
            request_url=request.url,
        )
        return self.build_response(request, raw)


session = CachedSession(cache_name=f"{place}/cache", expire_after=-1)
session.mount("https://w3id.org/ro/crate/1.1/context", Bundled())
session.get("https://w3id.org/ro/crate/1.1/context").raise_for_status()
PYTHON
  cat >"$place/validate.new" <<SCRIPT
#!/bin/sh
exec "$place/venv/bin/rocrate-validator" --disable-color validate --no-paging --verbose --offline --cache-path "$place/cache" \\
  --profile-identifier process-run-crate --requirement-severity required "\$@"
SCRIPT
  chmod +x "$place/validate.new"
  mv "$place/validate.new" "$place/validate"
fi
echo "$place/validate"
