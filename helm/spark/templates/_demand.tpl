{{/*
What KEDA asks Prometheus. Takes root and component.

demand: of a gateway, unfinished reconstructions; of a model server, requests that wait or are at work, as the mean of a
minute. Triton and vLLM count waiting ones themselves; those at work in Triton are, by Little's law, the seconds it computes each second.
operations: reconstructions that are at the server's stages, as the gateways see them. They alone can wake a server that
has no replica to count anything.
*/}}

{{- define "spark.demand" -}}
{{- $labels := printf "namespace=%q,service=%q" .root.Release.Namespace (include "spark.name" .) -}}
{{- if eq .component "gateway" -}}
sum(max by (state) (spark_operations{ {{- include "spark.gatewayLabels" .root -}} }))
{{- else if include "spark.isTriton" . -}}
sum(nv_inference_pending_request_count{ {{- $labels -}} ,model="{{ .component }}"}) + sum(rate(nv_inference_compute_infer_duration_us{ {{- $labels -}} ,model="{{ .component }}"}[1m])) / 1e6
{{- else if eq .component "vllm" -}}
sum(vllm:num_requests_waiting{ {{- $labels -}} }) + sum(vllm:num_requests_running{ {{- $labels -}} })
{{- else -}}
sum(avg_over_time(spark_pending_requests{ {{- $labels -}} }[1m]))
{{- end -}}
{{- end }}

{{- define "spark.operations" -}}
{{- $stages := get (dict "vlm" "plan|guide" "part_dit" "shape" "texture" "texture" "refinement" "refine" "vllm" "plan") .component -}}
sum(avg_over_time(spark_stage_operations{ {{- include "spark.gatewayLabels" .root -}} ,stage=~"{{ $stages }}"}[1m]))
{{- end }}

{{/* Takes the root. */}}
{{- define "spark.gatewayLabels" -}}
{{- printf "namespace=%q,service=\"%s-pods\"" .Release.Namespace (include "spark.name" (dict "root" . "component" "gateway")) -}}
{{- end }}
