{{/* The gateway that HTTPRoutes attach to, as a parentRef without its listener. */}}
{{- define "llmdeploy.gatewayRef" -}}
group: gateway.networking.k8s.io
kind: Gateway
{{- with .Values.routing.gateway }}
name: {{ .name | default $.Release.Name | toJson }}
{{- if and .name .namespace }}
namespace: {{ toJson .namespace }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "llmdeploy.parentRef" -}}
{{- $own := .Values.routing.tlsSecret | empty | ternary "http" "https" -}}
{{- $section := .Values.routing.gateway.name | empty | ternary $own .Values.routing.gateway.section -}}
{{ include "llmdeploy.gatewayRef" . }}
{{- with $section }}
sectionName: {{ toJson . }}
{{- end }}
{{- end -}}

{{/*
The rules of one model, as JSON. A rule with ReplacePrefixMatch must have exactly one PathPrefix match, so there is
one for each path that is let through; what no rule matches is 404, and the rules are thereby the allow-list. Left
unset, timeouts are the implementation's, and Envoy's cuts any answer after 15 s.
*/}}
{{- define "llmdeploy.rules" -}}
{{- $rules := list -}}
{{- $off := dict "request" "0s" "backendRequest" "0s" -}}
{{- $backends := list (dict "name" (include "llmdeploy.name" .) "port" .service.port) -}}
{{- $name := .name -}}
{{- range $route := .root.Values.routes -}}
{{- if eq $route.service $name -}}
{{- range $end := $route.endpoints -}}
{{- $paths := list (printf "%s%s" $route.path $end.path) -}}
{{- if eq $end.path "/" }}{{ $paths = list $route.path (printf "%s/" $route.path) }}{{ end -}}
{{- $exact := eq $end.match "exact" -}}
{{- $type := ternary "Exact" "PathPrefix" $exact -}}
{{- $matches := list -}}
{{- range $paths }}{{ $matches = append $matches (dict "path" (dict "type" $type "value" .)) }}{{ end -}}
{{- $prefix := dict "type" "ReplacePrefixMatch" "replacePrefixMatch" $end.path -}}
{{- $full := dict "type" "ReplaceFullPath" "replaceFullPath" $end.path -}}
{{- $rewrite := dict "type" "URLRewrite" "urlRewrite" (dict "path" (ternary $full $prefix $exact)) -}}
{{- $rules = append $rules (dict "matches" $matches "filters" (list $rewrite) "backendRefs" $backends "timeouts" $off) -}}
{{- end -}}
{{- end -}}
{{- end -}}
{{- toJson $rules -}}
{{- end -}}

{{/* The expression for one path of an Ingress, (dict "front" <route> "end" <endpoint>): see ingress.yaml. */}}
{{- define "llmdeploy.pattern" -}}
{{- $front := .front | replace "." "\\." -}}
{{- $rest := .end.path | trimPrefix "/" | replace "." "\\." -}}
{{- if eq .end.match "prefix" }}{{ printf "%s/(%s(/.*)?)$" $front $rest -}}
{{- else if $rest }}{{ printf "%s/(%s)$" $front $rest -}}
{{- else }}{{ printf "%s/?()$" $front -}}
{{- end -}}
{{- end -}}
