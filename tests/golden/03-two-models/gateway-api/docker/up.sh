#!/usr/bin/env bash
# Made by llmdeploy from llm.yaml; a rebuild refuses to overwrite edits.
# Needs bash 3.2 and docker 20.10. Starts what is new or changed, leaves the rest running.
#
# Arguments are quoted as they are meant, commas included; `here` is used where files are mounted.
# shellcheck disable=SC2016,SC2034,SC2054
set -Eeuo pipefail
trap 'echo "up.sh: line $LINENO failed" >&2' ERR

usage() {
  cat <<'END'
usage: up.sh [--dry-run] [--recreate]
  --dry-run   print the docker commands of a first start and run none
  --recreate  start every container anew, also an unchanged one
Set DOCKER for another docker command.
END
}

dry_run=0 recreate=0
for option; do
  case $option in
    --dry-run) dry_run=1 ;;
    --recreate) recreate=1 ;;
    -h | --help) usage; exit ;;
    *) usage >&2; exit 2 ;;
  esac
done

# Through links, one after the other: macOS' readlink has no -f.
script=${BASH_SOURCE[0]}
while [[ -L $script ]]; do
  link=$(readlink "$script")
  [[ $link == /* ]] || link=$(dirname "$script")/$link
  script=$link
done
here=$(CDPATH='' cd -- "$(dirname -- "$script")" && pwd -P)
readonly here dry_run recreate
readonly docker=${DOCKER:-docker} project=duo
exec 3>&1 # what a dry run prints, whatever a caller does with stdout

say() { printf '%s\n' "$*" >&2; }
die() { say "up.sh: $*"; exit 1; }

run() {
  if ((dry_run)); then
    { printf '%q ' "$@"; echo; } >&3
  else
    "$@"
  fi
}

# ask COMMAND...: what docker knows; nothing in a dry run, and nothing of what is not there
ask() { ((dry_run)) || "$docker" "$@" 2>/dev/null || true; }

# need VARIABLE SECRET
need() {
  ((dry_run)) || [[ -n ${!1:-} ]] || die "secret $2: $1 is not set; run: read -rs $1 && export $1"
}

# network NAME [OPTION...]
network() {
  [[ -n $(ask network inspect --format '{{.Name}}' "$1") ]] ||
    run "$docker" network create --label "io.llmdeploy.project=$project" "${@:2}" "$1" >/dev/null
}

volume() {
  run "$docker" volume create --label "io.llmdeploy.project=$project" "$1" >/dev/null
}

# current NAME FINGERPRINT: whether this very container runs
current() {
  ((recreate)) && return 1
  [[ $(ask inspect --format '{{.State.Running}} {{index .Config.Labels "io.llmdeploy.spec"}}' "$1") == "true $2" ]]
}

remove() {
  local owner
  owner=$(ask inspect --format 'of {{index .Config.Labels "io.llmdeploy.project"}}' "$1")
  [[ -n $owner ]] || return 0
  [[ $owner == "of $project" ]] || die "container $1 is there and is not ours: rename or remove it"
  say "$1: stop"
  "$docker" stop "$1" >/dev/null
  "$docker" rm "$1" >/dev/null
}

# remove_others NAME...: containers of an earlier llm.yaml; they may hold GPUs
remove_others() {
  local name
  for name in $(ask ps --all --filter "label=io.llmdeploy.project=$project" --format '{{.Names}}'); do
    case " $* " in
      *" $name "*) ;;
      *) remove "$name" ;;
    esac
  done
}

# fetch NAME ARGUMENT...
fetch() {
  say "$1: fetch the weights"
  remove "$1"
  run "$docker" run --rm --name "$1" --label "io.llmdeploy.project=$project" "${@:2}" >&2
}

# start NAME FINGERPRINT SECOND_NETWORK ARGUMENT...
start() {
  if current "$1" "$2"; then
    say "$1: unchanged"
    return
  fi
  remove "$1"
  say "$1: start"
  run "$docker" create --name "$1" --label "io.llmdeploy.project=$project" --label "io.llmdeploy.spec=$2" "${@:4}" >/dev/null
  [[ -z $3 ]] || run "$docker" network connect "$3" "$1"
  run "$docker" start "$1" >/dev/null
}

# wait_healthy NAME SECONDS
wait_healthy() {
  local state restarts deadline=$((SECONDS + $2))
  ((dry_run)) && return
  while ((SECONDS < deadline)); do
    IFS=' ' read -r state restarts < <(
      ask inspect --format '{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}} {{.RestartCount}}' "$1"
    ) || die "$1 is gone"
    case $state in
      healthy) say "$1: healthy"; return ;;
      exited | dead) break ;;
    esac
    ((restarts < 3)) || break
    sleep 2
  done
  say "$1: not healthy, but $state after $restarts restarts; its last lines:"
  "$docker" logs --tail 40 "$1" >&2 || true
  ((SECONDS < deadline)) || die "$1 did not become healthy within $2 seconds"
  die "$1 ends again and again; when that is mended: up.sh --recreate"
}

((dry_run)) || "$docker" version >/dev/null || die "docker does not answer: start it, or set DOCKER"

remove_others duo-coder duo-chat duo-gateway
network "$project-edge"
network "$project-engines" --internal
volume "$project"-chat-cache
volume "$project"-coder-cache
volume "$project"-models

# coder
args=(
  --label io.llmdeploy.model=coder
  --network duo-edge
  --network-alias coder-download
  --user 0:0
  --security-opt no-new-privileges
  --cap-drop ALL
  --cap-add DAC_OVERRIDE
  --init
  --log-opt max-size=50m
  --log-opt max-file=3
  --env HF_HOME=/models
  --mount type=volume,src=duo-models,dst=/models
  --entrypoint hf
  vllm/vllm-openai:v0.33.0
  download
  Qwen/Qwen2.5-7B-Instruct
  --exclude
  'original/*'
)
if ! current duo-coder e7e95059a29e; then
  fetch duo-coder-download "${args[@]}"
fi
args=(
  --label io.llmdeploy.model=coder
  --network duo-engines
  --network-alias coder
  --user 2000:0
  --security-opt no-new-privileges
  --cap-drop ALL
  --init
  --log-opt max-size=50m
  --log-opt max-file=3
  --restart unless-stopped
  --stop-timeout 150
  --health-cmd 'curl -fsS -m 4 -o /dev/null http://127.0.0.1:8000/health'
  --health-interval 5s
  --health-timeout 5s
  --health-retries 3
  --health-start-period 780s
  --gpus '"device=4,5"'
  --shm-size 8g
  --env HF_HUB_OFFLINE=1
  --env VLLM_NO_USAGE_STATS=1
  --env DO_NOT_TRACK=1
  --env VLLM_ENGINE_READY_TIMEOUT_S=780
  --env HOME=/home/vllm
  --env USER=vllm
  --env HF_HOME=/models
  --mount type=volume,src=duo-models,dst=/models,readonly
  --mount type=volume,src=duo-coder-cache,dst=/home/vllm/.cache
  --entrypoint vllm
  vllm/vllm-openai:v0.33.0
  serve
  Qwen/Qwen2.5-7B-Instruct
  --host
  0.0.0.0
  --port
  8000
  --shutdown-timeout
  120
  --served-model-name
  coder
  --tensor-parallel-size
  2
  --max-model-len
  16384
  --max-num-seqs
  256
  --max-num-batched-tokens
  2048
  --gpu-memory-utilization
  0.92
  --no-enable-prefix-caching
)
start duo-coder e7e95059a29e '' "${args[@]}"

# chat
args=(
  --label io.llmdeploy.model=chat
  --network duo-edge
  --network-alias chat-download
  --user 0:0
  --security-opt no-new-privileges
  --cap-drop ALL
  --cap-add DAC_OVERRIDE
  --init
  --log-opt max-size=50m
  --log-opt max-file=3
  --env HF_HOME=/models
  --mount type=volume,src=duo-models,dst=/models
  --entrypoint hf
  lmsysorg/sglang:v0.5.23
  download
  Qwen/Qwen3-8B
  --exclude
  'original/*'
)
if ! current duo-chat 059b29d88da7; then
  fetch duo-chat-download "${args[@]}"
fi
args=(
  --label io.llmdeploy.model=chat
  --network duo-engines
  --network-alias chat
  --security-opt no-new-privileges
  --cap-drop ALL
  --init
  --log-opt max-size=50m
  --log-opt max-file=3
  --restart unless-stopped
  --stop-timeout 150
  --health-cmd 'curl -fsS -m 4 -o /dev/null http://127.0.0.1:30000/ready'
  --health-interval 5s
  --health-timeout 5s
  --health-retries 3
  --health-start-period 780s
  --gpus '"device=6"'
  --shm-size 2g
  --env HF_HUB_OFFLINE=1
  --env TRITON_CACHE_DIR=/root/.cache/triton
  --env HF_HOME=/models
  --mount type=volume,src=duo-models,dst=/models,readonly
  --mount type=volume,src=duo-chat-cache,dst=/root/.cache
  --entrypoint sglang
  lmsysorg/sglang:v0.5.23
  serve
  --model-path
  Qwen/Qwen3-8B
  --host
  0.0.0.0
  --port
  30000
  --enable-metrics
  --served-model-name
  chat
  --context-length
  8192
  --max-running-requests
  2048
  --chunked-prefill-size
  4096
  --mem-fraction-static
  0.834
)
start duo-chat 059b29d88da7 '' "${args[@]}"

wait_healthy duo-coder 840
wait_healthy duo-chat 840

# gateway
args=(
  --label io.llmdeploy.gateway=true
  --network duo-edge
  --network-alias gateway
  --user 101:101
  --security-opt no-new-privileges
  --cap-drop ALL
  --read-only
  --tmpfs /tmp
  --init
  --log-opt max-size=50m
  --log-opt max-file=3
  --restart unless-stopped
  --stop-timeout 155
  --stop-signal SIGQUIT
  --health-cmd 'curl -fsS -m 4 -o /dev/null http://127.0.0.1:8080/healthz'
  --health-interval 5s
  --health-timeout 5s
  --health-retries 3
  --health-start-period 30s
  --mount 'type=bind,"src='"$here"/gateway/nginx.conf'",dst=/etc/nginx/nginx.conf,readonly'
  --publish 127.0.0.1:8080:8080
  --entrypoint nginx
  nginx:1.28.0
  -p
  /tmp/
  -e
  stderr
  -c
  /etc/nginx/nginx.conf
  -g
  'daemon off;'
)
start duo-gateway 60f1f724af68 duo-engines "${args[@]}"
wait_healthy duo-gateway 90
((dry_run)) || say "ready: http://127.0.0.1:8080"
