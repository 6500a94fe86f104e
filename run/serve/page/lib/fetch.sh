#!/usr/bin/env bash
# Fetches what others have written of the page, at the versions below, as npm has it. The one
# thing that is changed: hooks.mjs imports preact from beside it, for a browser knows no
# packages, and source maps are not looked for. A test holds the files to the digests in SHA256SUMS, which this writes.
set -euo pipefail
cd "$(dirname "$0")"

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
for p in preact@11.2.0 htm@3.1.1 uplot@1.6.32; do
	name=${p%@*}
	mkdir "$work/$name"
	(cd "$work" && npm pack --silent "$p" >/dev/null && tar -xzf "$name"-*.tgz -C "$name" --strip-components=1)
	cp "$work/$name/LICENSE" "LICENSE.$name"
done
cp "$work/preact/dist/preact.mjs" "$work/htm/dist/htm.mjs" "$work/uplot/dist/uPlot.iife.min.js" "$work/uplot/dist/uPlot.min.css" .
sed -e 's|from"preact"|from"./preact.mjs"|' -e '/^\/\/# sourceMappingURL=/d' "$work/preact/hooks/dist/hooks.mjs" >hooks.mjs
sed -i -e '/^\/\/# sourceMappingURL=/d' preact.mjs
chmod 644 ./*.mjs ./*.js ./*.css LICENSE.*
sha256sum LICENSE.* ./*.mjs ./*.js ./*.css >SHA256SUMS
