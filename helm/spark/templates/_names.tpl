{{/* Names and labels. A component is a key of the values: gateway, vlm, part_dit, texture, refinement, vllm. */}}

{{- define "spark.fullname" -}}
{{- $name := .Release.Name -}}
{{- if not (contains "spark" $name) }}{{ $name = printf "%s-spark" $name }}{{ end -}}
{{- $name | trunc 45 | trimSuffix "-" -}}
{{- end }}

{{/* Whom the gateway calls. */}}
{{- define "spark.modelServers" -}}
vlm part_dit texture refinement
{{- end }}

{{/* All that are Deployments: model servers, and the server that one of them calls. */}}
{{- define "spark.servers" -}}
{{ include "spark.modelServers" . }}{{ if .Values.vllm.enabled }} vllm{{ end }}
{{- end }}

{{- define "spark.components" -}}
gateway {{ include "spark.servers" . }}
{{- end }}

{{/* Takes a dict of root and component, as all below. */}}
{{- define "spark.name" -}}
{{ include "spark.fullname" .root }}-{{ .component | replace "_" "-" }}
{{- end }}

{{- define "spark.selector" -}}
app.kubernetes.io/name: spark
app.kubernetes.io/instance: {{ .root.Release.Name }}
app.kubernetes.io/component: {{ .component }}
{{- end }}

{{- define "spark.labels" -}}
{{ include "spark.selector" . }}
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ .root.Chart.Name }}-{{ .root.Chart.Version }}
{{- end }}

{{/* Labels of what belongs to no single component. */}}
{{- define "spark.commonLabels" -}}
app.kubernetes.io/name: spark
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ .Chart.Name }}-{{ .Chart.Version }}
{{- end }}

{{- define "spark.image" -}}
{{- $images := .root.Values.images -}}
{{- $image := (index .root.Values .component).image -}}
{{ ternary "" $images.prefix (eq .component "vllm") }}{{ $image.repository }}:{{ $image.tag | default $images.tag | default .root.Chart.AppVersion }}
{{- with $image.digest }}@{{ . }}{{ end }}
{{- end }}

{{- define "spark.isTriton" -}}
{{- if has .component (list "part_dit" "texture") }}yes{{ end }}
{{- end }}

{{/* The port of a component's API, gRPC but for vLLM's, and of its metrics. */}}
{{- define "spark.port" -}}
{{ get (dict "gateway" "50050" "vlm" "50051" "part_dit" "8001" "texture" "8001" "refinement" "50052" "vllm" "8000") .component }}
{{- end }}

{{- define "spark.adminPort" -}}
50053
{{- end }}

{{- define "spark.metricsPort" -}}
{{- if include "spark.isTriton" . }}8002{{ else if eq .component "vllm" }}{{ include "spark.port" . }}{{ else }}9090{{ end }}
{{- end }}

{{- define "spark.address" -}}
{{ include "spark.name" . }}:{{ include "spark.port" . }}
{{- end }}

{{- define "spark.graceSeconds" -}}
{{- $values := index .root.Values .component -}}
{{- if hasKey $values "graceSeconds" }}{{ $values.graceSeconds }}{{ else }}{{ $values.settings.grace_seconds }}{{ end }}
{{- end }}
