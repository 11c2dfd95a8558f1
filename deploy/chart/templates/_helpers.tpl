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
