{{/* One controller keeps all records of a cluster, so its names are fixed. Those of the templates are this
chart's own: a chart that has it as a dependency may have others, and of two with one name its own count. */}}
{{- define "storageos-volume-sync.name" -}}storageos-volume-sync{{- end }}

{{- define "storageos-volume-sync.selector" -}}
app.kubernetes.io/name: {{ include "storageos-volume-sync.name" . }}
{{- end }}

{{- define "storageos-volume-sync.labels" -}}
{{ include "storageos-volume-sync.selector" . }}
app.kubernetes.io/component: controller
app.kubernetes.io/part-of: storageos
{{- end }}

{{- define "storageos-volume-sync.objectLabels" -}}
{{ include "storageos-volume-sync.labels" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" | trunc 63 | trimSuffix "_" }}
{{- end }}

{{/* The binding of a Role or ClusterRole to the service account. */}}
{{- define "storageos-volume-sync.binding" -}}
roleRef:
  apiGroup: rbac.authorization.k8s.io
  kind: {{ .kind }}
  name: {{ include "storageos-volume-sync.name" .root }}
subjects:
- kind: ServiceAccount
  name: {{ include "storageos-volume-sync.name" .root }}
  namespace: {{ .root.Release.Namespace }}
{{- end }}

{{/* A file of the chart, which has it: who packs charts may drop what he does not know. */}}
{{- define "storageos-volume-sync.file" -}}
{{- $text := .root.Files.Get (printf "files/%s" .name) }}
{{- if not $text }}{{ fail (printf "this copy of the chart lacks files/%s: it was packed without it" .name) }}{{ end }}
{{- $text }}
{{- end }}

{{/* The labels of an object that somebody looks for by labels of his own, which count. */}}
{{- define "storageos-volume-sync.labelsAnd" -}}
{{- mergeOverwrite (include "storageos-volume-sync.objectLabels" .root | fromYaml) (.labels | default dict) | toYaml }}
{{- end }}

{{/* What the Pods may. OpenShift chooses the user and the group itself, and refuses others. */}}
{{- define "storageos-volume-sync.securityContext" -}}
{{- with .Values.securityContext }}
{{- if $.Values.openshift }}{{ omit . "runAsUser" "runAsGroup" "fsGroup" | toYaml }}{{ else }}{{ toYaml . }}{{ end }}
{{- end }}
{{- end }}

{{/* A digest names one image, whatever its tag. */}}
{{- define "storageos-volume-sync.image" -}}
{{ .Values.image.repository }}
{{- with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* The interval in seconds. */}}
{{- define "storageos-volume-sync.seconds" -}}
{{- $seconds := 0.0 }}
{{- range regexFindAll "[0-9.]+(ms|s|m|h)" .Values.interval -1 }}
{{- $unit := regexFind "[a-z]+" . }}
{{- $seconds = addf $seconds (mulf (trimSuffix $unit . | float64) (get (dict "ms" 0.001 "s" 1.0 "m" 60.0 "h" 3600.0) $unit)) }}
{{- end }}
{{- $seconds }}
{{- end }}
