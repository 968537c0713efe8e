#!/usr/bin/env bash
# Made by llmdeploy from llm.yaml; a rebuild refuses to overwrite edits.
set -Eeuo pipefail
trap 'echo "down.sh: line $LINENO failed" >&2' ERR

readonly docker=${DOCKER:-docker} project=shared-card
readonly ours="label=io.llmdeploy.project=$project"

volumes=0
case ${1:-} in
  '') ;;
  --volumes) volumes=1 ;;
  *) echo "usage: down.sh [--volumes]    --volumes also deletes the downloaded weights" >&2; exit 2 ;;
esac

# each COMMAND...: run docker's COMMAND for every name on stdin
each() {
  local name
  while read -r name; do
    "$docker" "$@" "$name" </dev/null
  done
}

# The gateway first, so that no request meets an engine that stops.
"$docker" ps --filter "$ours" --filter label=io.llmdeploy.gateway --format '{{.Names}}' | each stop
names=$("$docker" ps --filter "$ours" --format '{{.Names}}')
if [[ -n $names ]]; then
  # All at once: each may take its whole time to finish requests.
  # shellcheck disable=SC2086 # names have no spaces
  "$docker" stop $names
fi
"$docker" ps --all --filter "$ours" --format '{{.Names}}' | each rm
"$docker" network ls --filter "$ours" --format '{{.Name}}' | each network rm
if ((volumes)); then
  "$docker" volume ls --filter "$ours" --format '{{.Name}}' | each volume rm
fi
