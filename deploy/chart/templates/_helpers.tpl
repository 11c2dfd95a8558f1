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
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "_" }}
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

{{/* The labels of an object that somebody looks for by labels of his own, which count. */}}
{{- define "labelsAnd" -}}
{{- mergeOverwrite (include "objectLabels" .root | fromYaml) (.labels | default dict) | toYaml }}
{{- end }}

{{/* What the Pods may. OpenShift chooses the user and the group itself, and refuses others. */}}
{{- define "securityContext" -}}
{{- with .Values.securityContext }}
{{- if $.Values.openshift }}{{ omit . "runAsUser" "runAsGroup" "fsGroup" | toYaml }}{{ else }}{{ toYaml . }}{{ end }}
{{- end }}
{{- end }}

{{/* Of a flag that comes twice the last one counts, and another value would do nothing. */}}
{{- define "checkExtraArgs" -}}
{{- $values := dict "api-endpoint" "endpoint" "api-poll-interval" "interval" "metrics-addr" "metricsPort" "claim-events" "claimEvents" "delete-orphans" "deleteOrphans" }}
{{- range .Values.extraArgs }}
{{- $flag := regexReplaceAll "(?s)^--?([^=]*).*" . "${1}" }}
{{- with get $values $flag }}{{ fail (printf "extraArgs has the flag -%s, which the value %s sets: use that" $flag .) }}{{ end }}
{{- if eq $flag "enable-leader-election" }}{{ fail "extraArgs has the flag -enable-leader-election, which is always set: leave it out" }}{{ end }}
{{- if eq $flag "namespace" }}{{ fail "extraArgs has the flag -namespace: the Lease is in the namespace of the release, where the rights are" }}{{ end }}
{{- end }}
{{- end }}

{{/* A digest names one image, whatever its tag. */}}
{{- define "image" -}}
{{ .Values.image.repository }}
{{- with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* What a chart that has this one as a dependency may say of it; alone it would do nothing. */}}
{{- define "checkEnabled" -}}
{{- if eq (toString .Values.enabled) "false" }}{{ fail "enabled is for the condition of a dependency, and does nothing here: helm uninstall, or replicas" }}{{ end }}
{{- end }}

{{/* Of an interval of 0 the schema could say only that 'not' failed. */}}
{{- define "checkInterval" -}}
{{- if not (regexMatch "[1-9]" .Values.interval) }}{{ fail (printf "interval is %s: it has to be longer than 0, such as 5s" .Values.interval) }}{{ end }}
{{- end }}
