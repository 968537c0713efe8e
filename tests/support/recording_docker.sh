#!/usr/bin/env bash
# Stands in for docker where nothing is there yet and everything starts: writes each call to $RECORD.
# recording_docker.py also remembers, and takes six times as long, which a matrix of scripts cannot.
# A record is NUL-separated: how many words, the words, how many variables, NAME=VALUE for each `--env NAME`.
set -euo pipefail

variables=()
for ((i = 1; i < $#; i++)); do
  next=${*:i+1:1}
  if [[ ${!i} == --env && $next =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]]; then
    variables+=("$next=${!next-}")
  fi
done
printf '%s\0' "$#" "$@" "${#variables[@]}" ${variables[@]+"${variables[@]}"} >>"$RECORD"

case $* in
  *.State.Health*) echo healthy 0 ;;
esac
