{{/* Prints one object, (dict "root" $ "yaml" <text>), with what .Values.patches has for it. */}}
{{- define "llmdeploy.object" -}}
{{- $object := .yaml | fromYaml -}}
{{- $_ := set $object.metadata "namespace" .root.Release.Namespace -}}
{{- range .root.Values.patches -}}
{{- if and (eq .kind $object.kind) (has (.name | default $object.metadata.name) (list $object.metadata.name)) -}}
{{- $object = include "llmdeploy.merge" (dict "base" $object "patch" .patch) | fromJson -}}
{{- end -}}
{{- end }}
---
{{ toYaml $object }}
{{ end -}}

{{/* Merges maps by key and lists of named maps by name; anything else replaces. As JSON. */}}
{{- define "llmdeploy.merge" -}}
{{- if and (kindIs "map" .base) (kindIs "map" .patch) -}}
{{- $merged := dict -}}
{{- range $key, $value := .base }}{{ $_ := set $merged $key $value }}{{ end -}}
{{- range $key, $value := .patch -}}
{{- if hasKey $merged $key -}}
{{- $value = index (include "llmdeploy.merge" (dict "base" (index $merged $key) "patch" $value) | printf "[%s]" | fromJsonArray) 0 -}}
{{- end -}}
{{- $_ := set $merged $key $value -}}
{{- end -}}
{{- toJson $merged -}}
{{- else if and (include "llmdeploy.isNamed" .base) (include "llmdeploy.isNamed" .patch) -}}
{{- include "llmdeploy.mergeNamed" . -}}
{{- else -}}
{{- toJson .patch -}}
{{- end -}}
{{- end -}}

{{/* "yes" for a list, not empty, of maps that all have a name. */}}
{{- define "llmdeploy.isNamed" -}}
{{- $named := and (kindIs "slice" .) (not (empty .)) -}}
{{- if $named -}}
{{- range . -}}
{{- if not (kindIs "map" .) }}{{ $named = false }}{{ else if not (hasKey . "name") }}{{ $named = false }}{{ end -}}
{{- end -}}
{{- end -}}
{{- if $named }}yes{{ end -}}
{{- end -}}

{{- define "llmdeploy.mergeNamed" -}}
{{- $merged := list -}}
{{- $names := list -}}
{{- $patches := .patch -}}
{{- range $item := .base -}}
{{- range $patches -}}
{{- if eq .name $item.name -}}
{{- $item = include "llmdeploy.merge" (dict "base" $item "patch" .) | fromJson -}}
{{- end -}}
{{- end -}}
{{- $merged = append $merged $item -}}
{{- $names = append $names $item.name -}}
{{- end -}}
{{- range $patches -}}
{{- if not (has .name $names) }}{{ $merged = append $merged . }}{{ end -}}
{{- end -}}
{{- toJson $merged -}}
{{- end -}}
