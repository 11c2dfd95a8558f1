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

{{/* The flags of the program that is this chart's own version, with = those that need a value. */}}
{{- define "storageos-volume-sync.flags" -}}
accept-cluster-id= add_dir_header alsologtostderr alsologtostderrthreshold= api-ca-file= api-endpoint= api-poll-interval= api-refresh-interval= api-retry-interval= api-secret-path= api-timeout= claim-events csi-driver= delete-orphans early-reads enable-leader-election kube-api-burst= kube-api-qps= kubeconfig= lease-duration= legacy_stderr_threshold_behavior log_backtrace_at= log_dir= log_file= log_file_max_size= logging-format= logtostderr mass-orphan-hold= max-orphan-count= max-orphan-percent= metrics-addr= namespace= one_output orphan-grace-period= profiling progress-interval= renew-deadline= resync-interval= retry-period= skip_headers skip_log_headers status-addr= stderrthreshold= v= version vmodule= workers=
{{- end }}

{{/* Of a flag that comes twice the last one counts, and another value would do nothing. The flags of
another image are its own. */}}
{{- define "storageos-volume-sync.checkExtraArgs" -}}
{{- $values := dict "api-endpoint" "endpoint" "api-poll-interval" "interval" "metrics-addr" "metricsPort" "claim-events" "claimEvents" "delete-orphans" "deleteOrphans" }}
{{- $never := dict "api-secret-path" "and the Secret is mounted where it looks without it" "h" "with which the program ends at once" "help" "with which the program ends at once" "enable-leader-election" "which is always set" "kubeconfig" "and the Pods have no such file" "logtostderr" "without which kubectl logs shows nothing" "namespace" "and the Lease is in the namespace of the release, where the rights are" "version" "with which the program ends at once" }}
{{- range .Values.extraArgs }}
{{- $flag := regexReplaceAll "(?s)^--?([^=]*).*" . "${1}" }}
{{- if regexMatch "^[^=]* |  *--?[a-z]" . }}{{ fail (printf "extraArgs has %q: say -flag=value, and one flag in each" .) }}{{ end }}
{{- with get $values $flag }}{{ fail (printf "extraArgs has the flag -%s, which the value %s sets: use that" $flag .) }}{{ end }}
{{- with get $never $flag }}{{ fail (printf "extraArgs has the flag -%s, %s: leave it out" $flag .) }}{{ end }}
{{- if not (or $.Values.image.digest (ne ($.Values.image.tag | default $.Chart.AppVersion) $.Chart.AppVersion)) }}
{{- $flags := include "storageos-volume-sync.flags" $ | splitList " " }}
{{- if has (printf "%s=" $flag) $flags }}
{{- if not (contains "=" .) }}{{ fail (printf "extraArgs has the flag -%s without a value: say -%s=VALUE" $flag $flag) }}{{ end }}
{{- else if not (has $flag $flags) }}
{{- fail (printf "extraArgs has %s, which is no flag of volume-sync-controller %s: its README lists them" (printf "-%s" $flag | quote) $.Chart.AppVersion) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* A digest names one image, whatever its tag. */}}
{{- define "storageos-volume-sync.image" -}}
{{ .Values.image.repository }}
{{- with .Values.image.digest }}@{{ . }}{{ else }}:{{ .Values.image.tag | default .Chart.AppVersion }}{{ end }}
{{- end }}

{{/* What a chart that has this one as a dependency may say of it; alone it would do nothing. */}}
{{- define "storageos-volume-sync.checkEnabled" -}}
{{- if eq (toString .Values.enabled) "false" }}{{ fail "enabled is for the condition of a dependency, and does nothing here: helm uninstall, or replicas=0, is what you want" }}{{ end }}
{{- end }}

{{/* Two cannot listen on one port, and the status page would be the one that is not there. */}}
{{- define "storageos-volume-sync.checkMetricsPort" -}}
{{- $page := "127.0.0.1:8081" }}
{{- range .Values.extraArgs }}
{{- if regexMatch "^--?status-addr=" . }}{{ $page = regexReplaceAll "^--?status-addr=" . "" }}{{ end }}
{{- end }}
{{- if hasSuffix (printf ":%d" (int .Values.metricsPort)) $page }}
{{- fail (printf "metricsPort is %d, which is the status page's (-status-addr=%s): use another" (int .Values.metricsPort) $page) }}
{{- end }}
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

{{/* The schema sees that it is a time, and not how long: the program takes none of 0, nor of more than ten years. */}}
{{- define "storageos-volume-sync.checkInterval" -}}
{{- $seconds := include "storageos-volume-sync.seconds" . | float64 }}
{{- if lt $seconds 0.000000001 }}{{ fail (printf "interval is %s: it has to be longer than 0, such as 5s" .Values.interval) }}{{ end }}
{{- if gt $seconds 315360000.0 }}{{ fail (printf "interval is %s: it has to be shorter than ten years, such as 5s" .Values.interval) }}{{ end }}
{{- end }}

{{/* What it has to be: the schema could say that only by a pattern, and not how large the numbers in it are. */}}
{{- define "storageos-volume-sync.checkEndpoint" -}}
{{- $label := "[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?" }}
{{- $ipv6 := "[[][0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%25[A-Za-z0-9._-]+)?[]]" }}
{{- if not (regexMatch (printf "^([Hh][Tt][Tt][Pp][Ss]?://)?(%s([.]%s)*[.]?|%s)(:[0-9]+)?/?$" $label $label $ipv6) .Values.endpoint) }}
{{- fail (printf "endpoint is %q: say a host, host:port or URL of StorageOS, without path and user, IPv6 in brackets" .Values.endpoint) }}
{{- end }}
{{- $host := regexReplaceAll "^[A-Za-z]+://|(:[0-9]+)?/?$" .Values.endpoint "" }}
{{- $byte := "(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])" }}
{{- if and (regexMatch "(^|[.])[0-9]+[.]?$" $host) (not (regexMatch (printf "^(%s[.]){3}%s$" $byte $byte) $host)) }}
{{- fail (printf "endpoint is %s: its host ends with a number, and is no IPv4 address" .Values.endpoint) }}
{{- end }}
{{- with regexFind ":[0-9]+/?$" .Values.endpoint }}
{{- if not (regexMatch "^:0*([1-9][0-9]{0,3}|[1-5][0-9]{4}|6[0-4][0-9]{3}|65[0-4][0-9]{2}|655[0-2][0-9]|6553[0-5])/?$" .) }}
{{- fail (printf "endpoint is %s: its port has to be from 1 to 65535" $.Values.endpoint) }}
{{- end }}
{{- end }}
{{- end }}

{{/* One controller keeps all records of a cluster, by rights that have one name: a second release, told
to take ownership, would take them from the first, and its uninstallation remove them. Without a cluster to
ask nothing is found. */}}
{{- define "storageos-volume-sync.checkAlone" -}}
{{- $binding := lookup "rbac.authorization.k8s.io/v1" "ClusterRoleBinding" "" (include "storageos-volume-sync.name" .) }}
{{- range $binding.subjects }}
{{- if and (eq .kind "ServiceAccount") (eq .name (include "storageos-volume-sync.name" $)) (ne (toString .namespace) $.Release.Namespace) (lookup "apps/v1" "Deployment" .namespace (include "storageos-volume-sync.name" $)) }}
{{- fail (printf "there is a controller in the namespace %s, which would lose its rights to this one, in %s: one keeps all records of a cluster. Uninstall that one first, or install into its namespace" .namespace $.Release.Namespace) }}
{{- end }}
{{- end }}
{{- $deployment := lookup "apps/v1" "Deployment" .Release.Namespace (include "storageos-volume-sync.name" .) }}
{{- with dig "metadata" "annotations" "meta.helm.sh/release-name" "" $deployment }}
{{- if ne . $.Release.Name }}
{{- fail (printf "the release %s has installed the controller here: upgrade that one, or uninstall it first" .) }}
{{- end }}
{{- end }}
{{- end }}
