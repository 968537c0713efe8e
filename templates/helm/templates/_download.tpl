{{/*
How weights reach the claim. ReadWriteOnce: the Pod's own init container fetches them. ReadWriteMany: one Job
does, and only it sees the token and the network; the Pods wait. Either leaves a marker, so that a restart does
not depend on the Hub.
*/}}
{{- define "llmdeploy.isShared" -}}
{{- eq .root.Values.storage.accessMode "ReadWriteMany" | ternary "yes" "" -}}
{{- end -}}

{{- define "llmdeploy.claim" -}}
{{- if include "llmdeploy.isShared" . }}{{ .root.Release.Name }}-models{{ else }}{{ include "llmdeploy.name" . }}-models{{ end -}}
{{- end -}}

{{- define "llmdeploy.marker" -}}
{{- $fetched := pick .service.weights.download "command" "env" -}}
{{- printf "%s/.llmdeploy-%s" .service.weights.path (include "llmdeploy.digest" $fetched) -}}
{{- end -}}

{{- define "llmdeploy.fetch" -}}
name: download
image: {{ toJson .service.image }}
imagePullPolicy: IfNotPresent
command:
  - sh
  - -c
  # Group-writable, because the next model's download may run as another user of the same group.
  - 'marker=$1; shift; test -e "$marker" && exit 0; umask 0002; "$@" && : > "$marker"'
  - download
  - {{ include "llmdeploy.marker" . | toJson }}
args: {{ toJson .service.weights.download.command }}
env: {{ include "llmdeploy.env" .service.weights.download }}
resources: {requests: {cpu: "1", memory: 4Gi}, limits: {memory: 4Gi}}
{{ include "llmdeploy.downloadContainer" . }}
volumeMounts:
  - {name: models, mountPath: {{ toJson .service.weights.path }}, readOnly: false}
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "llmdeploy.wait" -}}
name: wait
image: {{ toJson .service.image }}
imagePullPolicy: IfNotPresent
command:
  - sh
  - -c
  - 'until test -e "$1"; do echo "waiting for the weights"; sleep 10; done'
  - wait
  - {{ include "llmdeploy.marker" . | toJson }}
resources: {requests: {cpu: 10m, memory: 32Mi}, limits: {memory: 32Mi}}
{{ include "llmdeploy.downloadContainer" . }}
volumeMounts:
  - {name: models, mountPath: {{ toJson .service.weights.path }}, readOnly: true}
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "llmdeploy.downloadContainer" -}}
terminationMessagePolicy: FallbackToLogsOnError
securityContext: {{ merge (dict "readOnlyRootFilesystem" true) .service.containerSecurityContext | toJson }}
{{- end -}}

{{- define "llmdeploy.jobSpec" -}}
{{ include "llmdeploy.podBasics" . }}
restartPolicy: OnFailure
containers:
  - {{ include "llmdeploy.fetch" . | fromYaml | toJson }}
volumes:
  - {name: models, persistentVolumeClaim: {claimName: {{ include "llmdeploy.claim" . }}}}
  - {name: tmp, emptyDir: {sizeLimit: 20Gi}}
{{- end -}}

{{/* A Job's template is immutable, so its name carries the hash of all that is in it. */}}
{{- define "llmdeploy.jobName" -}}
{{- $patches := list -}}
{{- range .root.Values.patches }}{{ if eq .kind "Job" }}{{ $patches = append $patches . }}{{ end }}{{ end -}}
{{- $spec := include "llmdeploy.jobSpec" . | fromYaml -}}
{{- $all := dict "spec" $spec "engine" .service.engine "version" .service.version "patches" $patches -}}
{{- printf "%s-%s" (include "llmdeploy.name" .) (include "llmdeploy.digest" $all) -}}
{{- end -}}
