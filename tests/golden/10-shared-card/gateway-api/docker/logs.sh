#!/usr/bin/env bash
# Made by llmdeploy from llm.yaml; a rebuild refuses to overwrite edits.
# logs.sh: the last lines of every container. logs.sh MODEL: follow the first of its containers.
set -euo pipefail

readonly docker=${DOCKER:-docker} project=shared-card
filters=(--filter "label=io.llmdeploy.project=$project")
(($# == 0)) || filters+=(--filter "label=io.llmdeploy.model=$1")

names=$("$docker" ps --all "${filters[@]}" --format '{{.Names}}')
if [[ -z $names ]]; then
  echo "logs.sh: no such container; run docker/up.sh" >&2
  exit 1
fi
if (($#)); then
  exec "$docker" logs --follow --tail 100 "${names%%$'\n'*}"
fi
for name in $names; do
  printf '==> %s <==\n' "$name"
  "$docker" logs --tail 40 "$name" 2>&1
done
