{{/* What the pods of all components share. Each takes a dict of root and component. */}}

{{/* A pod's template: metadata and spec. */}}
{{- define "spark.podTemplate" -}}
{{- $values := index .root.Values .component -}}
metadata:
  labels:
    {{- include "spark.labels" . | nindent 4 }}
  {{- with $values.podAnnotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  serviceAccountName: {{ include "spark.name" . }}
  # The gateway finds the replicas of the model servers through the cluster's API.
  automountServiceAccountToken: {{ eq .component "gateway" }}
  enableServiceLinks: false
  {{- with .root.Values.images.pullSecrets }}
  imagePullSecrets:
    {{- range . }}
    - name: {{ . | quote }}
    {{- end }}
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: 65532
    runAsGroup: 65532
    fsGroup: 65532
    fsGroupChangePolicy: OnRootMismatch
    seccompProfile: {type: RuntimeDefault}
  # the pause before SIGTERM, the calls in flight, and some seconds to leave
  terminationGracePeriodSeconds: {{ add (include "spark.graceSeconds" . | int) 20 }}
  {{- include "spark.scheduling" . | nindent 2 }}
  {{- include "spark.initContainers" . | nindent 2 }}
  containers:
    - {{- include "spark.container" . | nindent 6 }}
  volumes:
    - name: tmp
      emptyDir: {sizeLimit: {{ $values.temporary }}}
    {{- include "spark.volumes" . | nindent 4 }}
{{- end }}

{{- define "spark.container" -}}
{{- $values := index .root.Values .component -}}
name: {{ .component | replace "_" "-" }}
image: {{ include "spark.image" . | quote }}
imagePullPolicy: {{ .root.Values.images.pullPolicy }}
securityContext:
  {{- include "spark.securityContext" . | nindent 2 }}
{{ include (printf "spark.main.%s" (include "spark.kind" .)) . }}
lifecycle:
  preStop:
    # Endpoints are told at the same time as the container: callers get a moment to turn to others.
    exec: {command: [sleep, "5"]}
resources:
  {{- include "spark.resources" $values | nindent 2 }}
{{- end }}

{{- define "spark.kind" -}}
{{- if include "spark.isTriton" . }}triton{{ else }}{{ .component }}{{ end }}
{{- end }}

{{- define "spark.securityContext" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* Takes the values of a component. */}}
{{- define "spark.resources" -}}
{{- $gpu := .gpu | default (dict "count" 0) -}}
requests:
  {{- toYaml .resources.requests | nindent 2 }}
limits:
  {{- toYaml .resources.limits | nindent 2 }}
  {{- if $gpu.count }}
  {{ $gpu.resource }}: {{ $gpu.count | quote }}
  {{- end }}
{{- end }}

{{/* Variables of the settings that the values name. Takes a dict of prefix and settings. */}}
{{- define "spark.settings" -}}
{{- $prefix := .prefix }}
{{- range $name, $value := .settings }}
- name: {{ $prefix }}{{ upper $name }}
  {{- /* a whole number comes out of the values as 1e+06 otherwise */}}
  value: {{ if and (kindIs "float64" $value) (eq (floor $value) $value) }}{{ int64 $value | quote }}{{ else }}{{ toString $value | quote }}{{ end }}
{{- end }}
{{- end }}

{{/* Plain variables and the entries of a secret. Takes a dict of environment and secret. */}}
{{- define "spark.storeEnvironment" -}}
{{- range $name, $value := .environment }}
- name: {{ $name }}
  value: {{ $value | quote }}
{{- end }}
{{- end }}

{{/*
gRPC's own health protocol, as serving/server.py answers it. Takes root and component. A server that waits for a model is
not ready, and a restart would not help it: whether it lives has a name of its own.
*/}}
{{- define "spark.grpcProbes" -}}
{{- $values := index .root.Values .component -}}
{{- $port := include "spark.healthPort" . -}}
startupProbe:
  grpc: {port: {{ $port }}, service: live}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: {{ divf $values.startupSeconds 5 | ceil | int }}
readinessProbe:
  grpc: {port: {{ $port }}}
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  grpc: {port: {{ $port }}, service: live}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
{{- end }}

{{- define "spark.scheduling" -}}
{{- $values := index .root.Values .component -}}
{{- $class := $values.priorityClassName -}}
{{- if and (not $class) .root.Values.priorityClasses.create -}}
{{- $class = printf "%s-%s" (include "spark.fullname" .root) (ternary "gateway" "models" (eq .component "gateway")) -}}
{{- end -}}
{{- with $class }}
priorityClassName: {{ . }}
{{- end }}
{{- with $values.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with $values.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- if ne $values.spread "none" }}
topologySpreadConstraints:
  {{- $selector := include "spark.selector" . }}
  {{- $when := ternary "DoNotSchedule" "ScheduleAnyway" (eq $values.spread "require") }}
  {{- range list "kubernetes.io/hostname" "topology.kubernetes.io/zone" }}
  - topologyKey: {{ . }}
    maxSkew: 1
    whenUnsatisfiable: {{ $when }}
    labelSelector:
      matchLabels:
        {{- $selector | nindent 8 }}
  {{- end }}
{{- end }}
{{- end }}
