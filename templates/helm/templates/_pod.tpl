{{- define "llmdeploy.podBasics" -}}
# `<SERVICE>_PORT=tcp://…` is read by several engines as their own setting, and kills them.
enableServiceLinks: false
automountServiceAccountToken: false
serviceAccountName: {{ include "llmdeploy.name" . }}
securityContext: {{ toJson .service.podSecurityContext }}
{{- with .root.Values.imagePullSecrets }}
imagePullSecrets:
  {{- range . }}
  - name: {{ toJson . }}
  {{- end }}
{{- end }}
{{- end -}}

{{- define "llmdeploy.env" -}}
{{- $env := list -}}
{{- range $name, $value := .env }}{{ $env = append $env (dict "name" $name "value" $value) }}{{ end -}}
{{- range $name, $key := .secretEnv -}}
{{- $env = append $env (dict "name" $name "valueFrom" (dict "secretKeyRef" $key)) -}}
{{- end -}}
{{- toJson $env -}}
{{- end -}}

{{- define "llmdeploy.podSpec" -}}
{{ include "llmdeploy.podBasics" . }}
{{- with .service.nodeSelector }}
nodeSelector: {{ toJson . }}
{{- end }}
{{- with .service.gpu.products }}
affinity:
  nodeAffinity:
    requiredDuringSchedulingIgnoredDuringExecution:
      nodeSelectorTerms:
        - matchExpressions:
            - {key: nvidia.com/gpu.product, operator: In, values: {{ toJson . }}}
{{- end }}
{{- with .service.tolerations }}
tolerations: {{ toJson . }}
{{- end }}
{{- with .service.runtimeClassName }}
runtimeClassName: {{ toJson . }}
{{- end }}
terminationGracePeriodSeconds: {{ .service.drain.graceSeconds }}
{{- if .service.weights.download }}
initContainers:
  {{- $init := include "llmdeploy.isShared" . | empty | ternary "llmdeploy.fetch" "llmdeploy.wait" }}
  - {{ include $init . | fromYaml | toJson }}
{{- end }}
containers:
  - {{ include "llmdeploy.engine" . | fromYaml | toJson }}
volumes: {{ include "llmdeploy.volumes" . | fromYamlArray | toJson }}
{{- end -}}

{{- define "llmdeploy.engine" -}}
name: engine
image: {{ toJson .service.image }}
imagePullPolicy: IfNotPresent
command: {{ toJson .service.command }}
args: {{ toJson .service.args }}
env: {{ include "llmdeploy.env" .service }}
ports:
  - {name: http, containerPort: {{ .service.port }}, protocol: TCP}
# No limit on CPU: being throttled stalls the GPU. Devices are never overcommitted: request is limit.
{{- $limits := dict "memory" .service.resources.memory }}
{{- with .service.gpu }}{{ $_ := set $limits .resource (toString .count) }}{{ end }}
resources:
  requests: {{ merge (dict "cpu" .service.resources.cpu) $limits | toJson }}
  limits: {{ toJson $limits }}
{{- range $name, $probe := .service.probes }}
{{ $name }}Probe: {{ merge (dict "httpGet" (dict "path" $probe.path "port" "http")) (omit $probe "path") | toJson }}
{{- end }}
{{- with .service.drain.preStopSeconds }}
# Engines refuse new requests once they are told to stop, so first the endpoint has to be gone everywhere.
lifecycle: {preStop: {sleep: {seconds: {{ . }}}}}
{{- end }}
terminationMessagePolicy: FallbackToLogsOnError
securityContext: {{ toJson .service.containerSecurityContext }}
volumeMounts:
  {{- with .service.weights }}
  - {name: models, mountPath: {{ toJson .path }}, readOnly: {{ .readOnly }}}
  {{- end }}
  {{- with .service.cache }}
  - {name: cache, mountPath: {{ toJson .path }}}
  {{- end }}
  {{- range $key, $file := .service.files }}
  - {name: files, mountPath: {{ toJson $file.path }}, subPath: {{ toJson $key }}, readOnly: true}
  {{- end }}
  - {name: dshm, mountPath: /dev/shm}
  - {name: tmp, mountPath: /tmp}
{{- end -}}

{{- define "llmdeploy.volumes" -}}
{{- if .service.weights }}
- {name: models, persistentVolumeClaim: {claimName: {{ include "llmdeploy.claim" . }}}}
{{- end }}
{{- with .service.cache }}
- {name: cache, emptyDir: {sizeLimit: {{ toJson .size }}}}
{{- end }}
{{- if .service.files }}
- {name: files, configMap: {name: {{ include "llmdeploy.name" . }}}}
{{- end }}
- {name: dshm, emptyDir: {medium: Memory, sizeLimit: {{ toJson .service.shmSize }}}}
- {name: tmp, emptyDir: {sizeLimit: 20Gi}}
{{- end -}}
