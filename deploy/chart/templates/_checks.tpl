{{/* What is refused before anything is installed, in words where those of the schema would be a pattern. */}}
{{- define "storageos-volume-sync.check" -}}
{{- include "storageos-volume-sync.checkEnabled" . }}
{{- include "storageos-volume-sync.checkAlone" . }}
{{- include "storageos-volume-sync.checkCRD" . }}
{{- include "storageos-volume-sync.checkImage" . }}
{{- include "storageos-volume-sync.checkEndpoint" . }}
{{- include "storageos-volume-sync.checkSecretName" . }}
{{- include "storageos-volume-sync.checkInterval" . }}
{{- include "storageos-volume-sync.checkMetricsPort" . }}
{{- include "storageos-volume-sync.checkLabels" . }}
{{- include "storageos-volume-sync.checkUser" . }}
{{- include "storageos-volume-sync.checkResources" . }}
{{- include "storageos-volume-sync.checkExtraArgs" . }}
{{- end }}

{{/* The flags of the program that is this chart's own version, with = those that need a value. */}}
{{- define "storageos-volume-sync.flags" -}}
accept-cluster-id= add_dir_header alsologtostderr alsologtostderrthreshold= api-ca-file= api-endpoint= api-poll-interval= api-refresh-interval= api-retry-interval= api-secret-path= api-timeout= claim-events csi-driver= delete-orphans early-reads enable-leader-election kube-api-burst= kube-api-qps= kubeconfig= lease-duration= legacy_stderr_threshold_behavior log_backtrace_at= log_dir= log_file= log_file_max_size= logging-format= logtostderr mass-orphan-hold= max-orphan-count= max-orphan-percent= metrics-addr= namespace= one_output orphan-grace-period= profiling progress-interval= renew-deadline= resync-interval= retry-period= skip_headers skip_log_headers status-addr= stderrthreshold= v= version vmodule= workers=
{{- end }}

{{/* Of a flag that comes twice the last one counts, and another value would do nothing. The flags of
another image are its own. */}}
{{- define "storageos-volume-sync.checkExtraArgs" -}}
{{- $values := dict "api-endpoint" "endpoint" "api-poll-interval" "interval" "metrics-addr" "metricsPort" "claim-events" "claimEvents" "delete-orphans" "deleteOrphans" }}
{{- $never := dict "api-secret-path" "and the Secret is mounted where it looks without it" "h" "with which the program ends at once" "help" "with which the program ends at once" "enable-leader-election" "which is always set" "kubeconfig" "and the Pods have no such file" "logtostderr" "which is on, as kubectl logs shows nothing without it" "namespace" "and the Lease is in the namespace of the release, where the rights are" "version" "with which the program ends at once" }}
{{- range without (.Values.extraArgs | default list) "" }}
{{- $flag := regexReplaceAll "(?s)^--?([^=]*).*" . "${1}" }}
{{- if not (regexMatch "^--?[A-Za-z]" .) }}{{ fail (printf "extraArgs has %q, which is no flag: say -flag=value" .) }}{{ end }}
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

{{/* The program takes none of 0, nor of more than ten years. */}}
{{- define "storageos-volume-sync.checkInterval" -}}
{{- if not (regexMatch "^([0-9]+([.][0-9]*)?(ms|s|m|h))+$" .Values.interval) }}
{{- fail (printf "interval is %q: say a time, such as 5s or 1m30s" .Values.interval) }}
{{- end }}
{{- $seconds := include "storageos-volume-sync.seconds" . | float64 }}
{{- if lt $seconds 0.000000001 }}{{ fail (printf "interval is %s: it has to be longer than 0, such as 5s" .Values.interval) }}{{ end }}
{{- if gt $seconds 315360000.0 }}{{ fail (printf "interval is %s: it has to be shorter than ten years, such as 5s" .Values.interval) }}{{ end }}
{{- end }}

{{/* What it has to be: the schema could say that only by a pattern, and not how large the numbers in it are. */}}
{{- define "storageos-volume-sync.checkEndpoint" -}}
{{- $label := "[A-Za-z0-9]([-A-Za-z0-9]{0,61}[A-Za-z0-9])?" }}
{{- $ipv6 := "[[][0-9A-Fa-f]*:[0-9A-Fa-f]*:[0-9A-Fa-f:.]*(%25[A-Za-z0-9._-]+)?[]]" }}
{{- if not (regexMatch (printf "^([Hh][Tt][Tt][Pp][Ss]?://)?(%s([.]%s)*[.]?|%s)(:[0-9]+)?/?$" $label $label $ipv6) .Values.endpoint) }}
{{- if contains "@" .Values.endpoint }}{{ fail "endpoint has an @ in it: say a host, host:port or URL of StorageOS, without path and user; user and password are in the Secret" }}{{ end }}
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

{{/* A name, and tag and digest where they belong. */}}
{{- define "storageos-volume-sync.checkImage" -}}
{{- with .Values.image }}
{{- if not (regexMatch "^([A-Za-z0-9.-]+(:[0-9]+)?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$" .repository) }}
{{- fail (printf "image.repository is %q: say the name of an image, such as registry.example.com/volume-sync-controller; its tag is image.tag, its digest image.digest" .repository) }}
{{- end }}
{{- if not (regexMatch "^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$" (.tag | default "")) }}
{{- fail (printf "image.tag is %q: say a tag, such as v1.2.3" .tag) }}
{{- end }}
{{- if not (regexMatch "^(sha256:[0-9a-f]{64})?$" (.digest | default "")) }}
{{- fail (printf "image.digest is %q: say sha256: and 64 of the characters 0 to 9 and a to f" .digest) }}
{{- end }}
{{- end }}
{{- end }}

{{/* The name of a Secret of the namespace. */}}
{{- define "storageos-volume-sync.checkSecretName" -}}
{{- if or (gt (len .Values.secretName) 253) (not (regexMatch "^[a-z0-9]([-a-z0-9]*[a-z0-9])?([.][a-z0-9]([-a-z0-9]*[a-z0-9])?)*$" .Values.secretName)) }}
{{- fail (printf "secretName is %q, which is no name of a Secret" .Values.secretName) }}
{{- end }}
{{- end }}

{{/* By these the Deployment, the Service and Helm find what is theirs. */}}
{{- define "storageos-volume-sync.checkLabels" -}}
{{- range $value, $labels := dict "podLabels" .Values.podLabels "serviceMonitor.labels" .Values.serviceMonitor.labels "prometheusRule.labels" .Values.prometheusRule.labels "dashboard.labels" .Values.dashboard.labels }}
{{- range list "app.kubernetes.io/name" "app.kubernetes.io/managed-by" }}
{{- if hasKey ($labels | default dict) . }}{{ fail (printf "%s has %s, which the chart sets: leave it out" $value .) }}{{ end }}
{{- end }}
{{- end }}
{{- end }}

{{/* The kubelet starts no container of root where that is not allowed, and no Pod of a group without a user. */}}
{{- define "storageos-volume-sync.checkUser" -}}
{{- $user := dig "runAsUser" "" (.Values.securityContext | default dict) | toString }}
{{- if and (eq $user "0") (dig "runAsNonRoot" false .Values.securityContext) (not .Values.openshift) }}
{{- fail "securityContext.runAsUser is 0, which is root, and runAsNonRoot is true: the Pods would not start" }}
{{- end }}
{{- if and (eq $user "") (ne (dig "runAsGroup" "" (.Values.securityContext | default dict) | toString) "") (not .Values.openshift) }}
{{- fail "securityContext has a runAsGroup and no runAsUser: the Pods would not start. For OpenShift say openshift=true, else take runAsGroup out too" }}
{{- end }}
{{- end }}

{{/* A quantity as a number, "" if it is none. */}}
{{- define "storageos-volume-sync.quantity" -}}
{{- $units := dict "" 1.0 "n" 1e-9 "u" 1e-6 "m" 1e-3 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "E" 1e18 "Ki" 1024.0 "Mi" 1048576.0 "Gi" 1073741824.0 "Ti" 1099511627776.0 "Pi" 1125899906842624.0 "Ei" 1152921504606846976.0 }}
{{- if regexMatch "^([0-9]+[.]?[0-9]*|[.][0-9]+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?[0-9]+)?$" (toString .) }}
{{- $unit := regexFind "([numkMGTPE]|[KMGTPE]i)$" (toString .) }}
{{- mulf (toString . | trimSuffix $unit | float64) (get $units $unit) }}
{{- end }}
{{- end }}

{{/* What Kubernetes refuses, and memory that nothing can run with: who says 256 means another unit than bytes. */}}
{{- define "storageos-volume-sync.checkResources" -}}
{{- $resources := .Values.resources }}
{{- range $kind := list "limits" "requests" }}
{{- range $name, $given := get $resources $kind | default dict }}
{{- $value := printf "resources.%s.%s" $kind $name }}
{{- if not (regexMatch "^(cpu|memory|ephemeral-storage|[a-z0-9.-]+/[A-Za-z0-9._-]+)$" $name) }}
{{- fail (printf "%s: there is no such resource: there are cpu, memory and ephemeral-storage" $value) }}
{{- end }}
{{- $number := include "storageos-volume-sync.quantity" $given }}
{{- if or (eq $number "") (and (eq $kind "limits") (le (float64 $number) 0.0)) }}
{{- fail (printf "%s is %q: say a quantity that is more than 0, such as 50m for cpu, 256Mi for memory" $value (toString $given)) }}
{{- end }}
{{- if and (eq $name "memory") (gt (float64 $number) 0.0) (lt (float64 $number) 8388608.0) }}
{{- fail (printf "%s is %q, which is less than 8Mi: without a unit it is bytes, and m is a thousandth: say 256Mi, for example" $value (toString $given)) }}
{{- end }}
{{- $limit := dig "limits" $name "" $resources }}
{{- if contains "/" $name }}
{{- if ne (float64 $number) (floor $number) }}{{ fail (printf "%s is %q: say a whole number" $value (toString $given)) }}{{ end }}
{{- if and (eq $kind "requests") (ne (include "storageos-volume-sync.quantity" $limit) $number) }}
{{- fail (printf "%s is %q: the limit has to be the same" $value (toString $given)) }}
{{- end }}
{{- end }}
{{- if and (eq $kind "requests") (ne (toString $limit) "") (gt (float64 $number) (include "storageos-volume-sync.quantity" $limit | float64)) }}
{{- fail (printf "%s is %q, which is more than the limit, %q" $value (toString $given) (toString $limit)) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{/* Helm deletes what a revision of before had and the next one has not: also one that has failed before it came to
it, and without asking here at a rollback, or for another chart. It spares what says in the cluster that it is to
be kept. */}}
{{- define "storageos-volume-sync.checkCRD" -}}
{{- if or .Release.IsUpgrade .Values.crds.enabled }}
{{- $crd := lookup "apiextensions.k8s.io/v1" "CustomResourceDefinition" "" "volumes.api.storageos.com" }}
{{- if and $crd (ne (dig "metadata" "annotations" "helm.sh/resource-policy" "" $crd | trim | lower) "keep") }}
{{- fail "nothing keeps Helm from deleting the CRD, and with it all records, when a release fails, is rolled back, or comes without the CRD. Say `kubectl annotate --overwrite crd volumes.api.storageos.com helm.sh/resource-policy=keep`, and the same again" }}
{{- end }}
{{- end }}
{{- end }}
