{{/*
Helpers for one model take (dict "root" $ "name" <model> "service" <its values>).

No template calls tpl, and data reaches YAML only through toJson and toYaml: a value is never read as a template
or as YAML.
*/}}

{{- define "llmdeploy.name" -}}
{{- $name := printf "%s-%s" .root.Release.Name .name -}}
{{- if gt (len $name) 52 -}}
{{- fail (printf "%s is longer than 52 characters: the Jobs and claims named after it would be too long" $name) -}}
{{- end -}}
{{- $name -}}
{{- end -}}

{{/* A Deployment's selector is immutable: nothing that values may change is in it. */}}
{{- define "llmdeploy.selector" -}}
app.kubernetes.io/instance: {{ include "llmdeploy.name" . }}
app.kubernetes.io/component: {{ .component | default "engine" }}
{{- end -}}

{{- define "llmdeploy.labels" -}}
app.kubernetes.io/name: {{ toJson .service.engine }}
{{ include "llmdeploy.selector" . }}
app.kubernetes.io/version: {{ toJson .service.version }}
app.kubernetes.io/part-of: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{/* What belongs to no single model: (dict "root" $ "component" <name>). */}}
{{- define "llmdeploy.projectLabels" -}}
app.kubernetes.io/name: {{ .root.Release.Name }}
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
app.kubernetes.io/part-of: {{ .root.Release.Name }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
{{- end -}}

{{/* 8 hex digits of any value. */}}
{{- define "llmdeploy.digest" -}}
{{- toJson . | sha256sum | trunc 8 -}}
{{- end -}}
