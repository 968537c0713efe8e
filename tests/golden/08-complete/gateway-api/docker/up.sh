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
readonly docker=${DOCKER:-docker} project=complete
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
need LLM_API_KEY api-key
need HF_TOKEN hf-token

remove_others complete-batch complete-batch-2 complete-chat complete-small complete-embed complete-gateway
network "$project-edge"
network "$project-engines" --internal
volume "$project"-batch-cache
volume "$project"-chat-cache
volume "$project"-embed-cache
volume "$project"-small-cache
run mkdir -p "$HOME"/.cache/huggingface

# batch
args=(
  --label io.llmdeploy.model=batch
  --network complete-edge
  --network-alias batch-download
  --user 0:0
  --security-opt no-new-privileges
  --cap-drop ALL
  --cap-add DAC_OVERRIDE
  --init
  --log-opt max-size=50m
  --log-opt max-file=3
  --env HF_HOME=/models
  --env HF_TOKEN
  --mount 'type=bind,"src='"$HOME"/.cache/huggingface'",dst=/models'
  --entrypoint sh
  vllm/vllm-openai:v0.33.0
  -ec
  'hf download meta-llama/Llama-3.3-70B-Instruct --exclude '"'"'original/*'"'"' --revision 6f6073b423013f6a7d4d9f39144961bfbfbc386b
hf download example/llama-3.3-70b-sql-lora --exclude '"'"'original/*'"'"' --local-dir /models/adapters/example/llama-3.3-70b-sql-lora
hf download example/llama-3.3-70b-legal-lora --exclude '"'"'original/*'"'"' --local-dir /models/adapters/example/llama-3.3-70b-legal-lora'
)
if ! current complete-batch 525f330b627b || ! current complete-batch-2 160461292d10; then
  HF_TOKEN=${HF_TOKEN:-} fetch complete-batch-download "${args[@]}"
fi
args=(
  --label io.llmdeploy.model=batch
  --network complete-engines
  --network-alias batch
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
  --health-start-period 2400s
  --gpus '"device=0,1,2,3"'
  --shm-size 8g
  --env HF_HUB_OFFLINE=1
  --env VLLM_NO_USAGE_STATS=1
  --env DO_NOT_TRACK=1
  --env VLLM_ENGINE_READY_TIMEOUT_S=2400
  --env HOME=/home/vllm
  --env USER=vllm
  --env HF_HOME=/models
  --env NCCL_DEBUG=WARN
  --env OMP_NUM_THREADS=8
  --env VLLM_API_KEY
  --mount 'type=bind,"src='"$HOME"/.cache/huggingface'",dst=/models,readonly'
  --mount type=volume,src=complete-batch-cache,dst=/home/vllm/.cache
  --entrypoint vllm
  vllm/vllm-openai:v0.33.0
  serve
  meta-llama/Llama-3.3-70B-Instruct
  --host
  0.0.0.0
  --port
  8000
  --shutdown-timeout
  120
  --served-model-name
  llama-70b
  llama
  --revision
  6f6073b423013f6a7d4d9f39144961bfbfbc386b
  --tensor-parallel-size
  2
  --pipeline-parallel-size
  2
  --dtype
  bfloat16
  --quantization
  fp8
  --max-model-len
  32768
  --max-num-seqs
  40
  --max-num-batched-tokens
  8192
  --gpu-memory-utilization
  0.92
  --kv-cache-dtype
  fp8
  --structured-outputs-config.backend
  xgrammar
  --enable-auto-tool-choice
  --tool-call-parser
  llama3_json
  --enable-lora
  --lora-modules
  sql=/models/adapters/example/llama-3.3-70b-sql-lora
  legal=/models/adapters/example/llama-3.3-70b-legal-lora
  --max-lora-rank
  32
  --max-loras
  2
  --max-logprobs
  5
  --override-generation-config
  '{"temperature":0.6}'
)
VLLM_API_KEY=${LLM_API_KEY:-} start complete-batch 525f330b627b '' "${args[@]}"
args=(
  --label io.llmdeploy.model=batch
  --network complete-engines
  --network-alias batch-2
  --network-alias batch
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
  --health-start-period 2400s
  --gpus '"device=4,5,6,7"'
  --shm-size 8g
  --env HF_HUB_OFFLINE=1
  --env VLLM_NO_USAGE_STATS=1
  --env DO_NOT_TRACK=1
  --env VLLM_ENGINE_READY_TIMEOUT_S=2400
  --env HOME=/home/vllm
  --env USER=vllm
  --env HF_HOME=/models
  --env NCCL_DEBUG=WARN
  --env OMP_NUM_THREADS=8
  --env VLLM_API_KEY
  --mount 'type=bind,"src='"$HOME"/.cache/huggingface'",dst=/models,readonly'
  --mount type=volume,src=complete-batch-cache,dst=/home/vllm/.cache
  --entrypoint vllm
  vllm/vllm-openai:v0.33.0
  serve
  meta-llama/Llama-3.3-70B-Instruct
  --host
  0.0.0.0
  --port
  8000
  --shutdown-timeout
  120
  --served-model-name
  llama-70b
  llama
  --revision
  6f6073b423013f6a7d4d9f39144961bfbfbc386b
  --tensor-parallel-size
  2
  --pipeline-parallel-size
  2
  --dtype
  bfloat16
  --quantization
  fp8
  --max-model-len
  32768
  --max-num-seqs
  40
  --max-num-batched-tokens
  8192
  --gpu-memory-utilization
  0.92
  --kv-cache-dtype
  fp8
  --structured-outputs-config.backend
  xgrammar
  --enable-auto-tool-choice
  --tool-call-parser
  llama3_json
  --enable-lora
  --lora-modules
  sql=/models/adapters/example/llama-3.3-70b-sql-lora
  legal=/models/adapters/example/llama-3.3-70b-legal-lora
  --max-lora-rank
  32
  --max-loras
  2
  --max-logprobs
  5
  --override-generation-config
  '{"temperature":0.6}'
)
VLLM_API_KEY=${LLM_API_KEY:-} start complete-batch-2 160461292d10 '' "${args[@]}"

# chat
args=(
  --label io.llmdeploy.model=chat
  --network complete-edge
  --network-alias chat-download
  --user 0:0
  --security-opt no-new-privileges
  --cap-drop ALL
  --cap-add DAC_OVERRIDE
  --init
  --log-opt max-size=50m
  --log-opt max-file=3
  --env HF_HOME=/models
  --mount 'type=bind,"src='"$HOME"/.cache/huggingface'",dst=/models'
  --entrypoint hf
  lmsysorg/sglang:v0.5.23
  download
  Qwen/Qwen2.5-7B-Instruct
  --exclude
  'original/*'
  --revision
  a09a35458c702b33eeacc393d103063234e8bc28
)
if ! current complete-chat a3041dba331f; then
  fetch complete-chat-download "${args[@]}"
fi
args=(
  --label io.llmdeploy.model=chat
  --network complete-engines
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
  --gpus '"device=8,9"'
  --shm-size 8g
  --env HF_HUB_OFFLINE=1
  --env TRITON_CACHE_DIR=/root/.cache/triton
  --env HF_HOME=/models
  --env HF_MODULES_CACHE=/root/.cache/huggingface/modules
  --env LLMDEPLOY_API_KEY
  --mount 'type=bind,"src='"$HOME"/.cache/huggingface'",dst=/models,readonly'
  --mount type=volume,src=complete-chat-cache,dst=/root/.cache
  --mount 'type=bind,"src='"$here"/files/chat-chat-template.jinja'",dst=/etc/llmdeploy/chat-template.jinja,readonly'
  --entrypoint python3
  lmsysorg/sglang:v0.5.23
  -c
  '# Hands the API key to SGLang in a file: it takes no variable, and an argument would show in every `ps`.
import json
import os
import sys

if __name__ == "__main__":
    mine_alone = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(mine_alone, "w") as file:
        json.dump({"api-key": os.environ.pop("LLMDEPLOY_API_KEY")}, file)  # JSON is YAML
    os.execvp(sys.argv[2], sys.argv[2:])
'
  /tmp/llmdeploy-engine.yaml
  sglang
  serve
  --model-path
  Qwen/Qwen2.5-7B-Instruct
  --host
  0.0.0.0
  --port
  30000
  --enable-metrics
  --served-model-name
  chat
  --revision
  a09a35458c702b33eeacc393d103063234e8bc28
  --tensor-parallel-size
  2
  --context-length
  16384
  --max-running-requests
  4096
  --chunked-prefill-size
  4096
  --mem-fraction-static
  0.85
  --disable-radix-cache
  --grammar-backend
  none
  --trust-remote-code
  --chat-template
  /etc/llmdeploy/chat-template.jinja
  --config
  /tmp/llmdeploy-engine.yaml
)
LLMDEPLOY_API_KEY=${LLM_API_KEY:-} start complete-chat a3041dba331f '' "${args[@]}"

# small
args=(
  --label io.llmdeploy.model=small
  --network complete-edge
  --network-alias small-download
  --user 0:0
  --security-opt no-new-privileges
  --cap-drop ALL
  --cap-add DAC_OVERRIDE
  --init
  --log-opt max-size=50m
  --log-opt max-file=3
  --env HF_HOME=/models
  --mount 'type=bind,"src='"$HOME"/.cache/huggingface'",dst=/models'
  --entrypoint hf
  vllm/vllm-openai:v0.33.0
  download
  Qwen/Qwen3-1.7B
  --exclude
  'original/*'
)
if ! current complete-small e0db99b803b0; then
  fetch complete-small-download "${args[@]}"
fi
args=(
  --label io.llmdeploy.model=small
  --network complete-engines
  --network-alias small
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
  --health-start-period 660s
  --gpus '"device=MIG-5c4a0d0e-7d2c-5c0a-8f4e-1b2c3d4e5f60"'
  --shm-size 2g
  --env HF_HUB_OFFLINE=1
  --env VLLM_NO_USAGE_STATS=1
  --env DO_NOT_TRACK=1
  --env VLLM_ENGINE_READY_TIMEOUT_S=660
  --env HOME=/home/vllm
  --env USER=vllm
  --env HF_HOME=/models
  --env VLLM_API_KEY
  --mount 'type=bind,"src='"$HOME"/.cache/huggingface'",dst=/models,readonly'
  --mount type=volume,src=complete-small-cache,dst=/home/vllm/.cache
  --entrypoint vllm
  vllm/vllm-openai:v0.33.0
  serve
  Qwen/Qwen3-1.7B
  --host
  0.0.0.0
  --port
  8000
  --shutdown-timeout
  120
  --served-model-name
  small
  --quantization
  fp8
  --max-model-len
  4096
  --max-num-seqs
  256
  --max-num-batched-tokens
  2048
  --gpu-memory-utilization
  0.92
  --enable-auto-tool-choice
  --tool-call-parser
  hermes
  --reasoning-parser
  qwen3
  --limit-mm-per-prompt
  '{"image":0,"video":0,"audio":0}'
  --speculative-config
  '{"method":"ngram","num_speculative_tokens":4}'
)
VLLM_API_KEY=${LLM_API_KEY:-} start complete-small e0db99b803b0 '' "${args[@]}"

# embed
args=(
  --label io.llmdeploy.model=embed
  --network complete-edge
  --network-alias embed-download
  --user 0:0
  --security-opt no-new-privileges
  --cap-drop ALL
  --cap-add DAC_OVERRIDE
  --init
  --log-opt max-size=50m
  --log-opt max-file=3
  --env HF_HOME=/models
  --mount 'type=bind,"src='"$HOME"/.cache/huggingface'",dst=/models'
  --entrypoint hf
  vllm/vllm-openai:v0.33.0
  download
  Qwen/Qwen3-Embedding-0.6B
  --exclude
  'original/*'
)
if ! current complete-embed 3a54c71d7df5; then
  fetch complete-embed-download "${args[@]}"
fi
args=(
  --label io.llmdeploy.model=embed
  --network complete-engines
  --network-alias embed
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
  --health-start-period 600s
  --gpus '"device=MIG-9e107d9d-372b-5b6b-8f4e-2b3c4d5e6f70"'
  --shm-size 2g
  --env HF_HUB_OFFLINE=1
  --env VLLM_NO_USAGE_STATS=1
  --env DO_NOT_TRACK=1
  --env VLLM_ENGINE_READY_TIMEOUT_S=600
  --env HOME=/home/vllm
  --env USER=vllm
  --env HF_HOME=/models
  --env VLLM_API_KEY
  --mount 'type=bind,"src='"$HOME"/.cache/huggingface'",dst=/models,readonly'
  --mount type=volume,src=complete-embed-cache,dst=/home/vllm/.cache
  --entrypoint vllm
  vllm/vllm-openai:v0.33.0
  serve
  Qwen/Qwen3-Embedding-0.6B
  --host
  0.0.0.0
  --port
  8000
  --shutdown-timeout
  120
  --served-model-name
  embed
  --max-model-len
  4096
  --max-num-seqs
  256
  --max-num-batched-tokens
  2048
  --gpu-memory-utilization
  0.92
  --runner
  pooling
)
VLLM_API_KEY=${LLM_API_KEY:-} start complete-embed 3a54c71d7df5 '' "${args[@]}"

wait_healthy complete-batch 2460
wait_healthy complete-batch-2 2460
wait_healthy complete-chat 840
wait_healthy complete-small 720
wait_healthy complete-embed 660

# gateway
args=(
  --label io.llmdeploy.gateway=true
  --network complete-edge
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
start complete-gateway 814c17ef9cac complete-engines "${args[@]}"
wait_healthy complete-gateway 90
((dry_run)) || say "ready: http://127.0.0.1:8080"
