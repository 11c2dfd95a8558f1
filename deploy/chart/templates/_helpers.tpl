{{/* One controller keeps all records of a cluster, so its names are fixed. */}}
{{- define "name" -}}storageos-volume-sync{{- end }}

{{- define "selector" -}}
app.kubernetes.io/name: {{ include "name" . }}
{{- end }}

{{- define "labels" -}}
{{ include "selector" . }}
app.kubernetes.io/component: controller
app.kubernetes.io/part-of: storageos
{{- end }}

{{- define "objectLabels" -}}
{{ include "labels" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{/* The binding of a Role or ClusterRole to the service account. */}}
{{- define "binding" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ include "name" .root }}
subjects:
- kind: ServiceAccount
  name: {{ include "name" .root }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/* A file of the chart, which has it: who packs charts may drop what he does not know. */}}
{{- define "file" -}}
{{- $text := .root.Files.Get (printf "files/%s" .name) }}
{{- if not $text }}{{ fail (printf "this copy of the chart lacks files/%s: it was packed without it" .name) }}{{ end }}
{{- $text }}
{{- end }}

{{/* The labels of an object that somebody looks for by labels of his own. */}}
{{- define "labelsAnd" -}}
{{- merge (include "objectLabels" .root | fromYaml) (.labels | default dict) | toYaml }}
{{- end }}

{{/* Of a flag that comes twice the last one counts, and another value would do nothing. */}}
{{- define "checkExtraArgs" -}}
{{- $values := dict "api-endpoint" "endpoint" "api-poll-interval" "interval" "metrics-addr" "metricsPort" "claim-events" "claimEvents" "delete-orphans" "deleteOrphans" }}
{{- range .Values.extraArgs }}
{{- $flag := regexReplaceAll "(?s)^--?([^=]*).*" . "${1}" }}
{{- with get $values $flag }}{{ fail (printf "extraArgs has the flag -%s, which the value %s sets: use that" $flag .) }}{{ end }}
{{- if eq $flag "enable-leader-election" }}{{ fail "extraArgs has the flag -enable-leader-election, which is always set: leave it out" }}{{ end }}
{{- end }}
{{- end }}

{{/* A digest names one image, whatever its tag. */}}
{{- define "image" -}}
{{ .Values.image.repository }}
{{- with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* Of an interval of 0 the schema could say only that 'not' failed. */}}
{{- define "checkInterval" -}}
{{- if not (regexMatch "[1-9]" .Values.interval) }}{{ fail (printf "interval is %s: it has to be longer than 0, such as 5s" .Values.interval) }}{{ end }}
{{- end }}
