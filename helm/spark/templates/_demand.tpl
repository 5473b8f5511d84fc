{{/*
What KEDA asks Prometheus about a model server. Takes root and component.

demand: requests that wait or are at work, as a mean over two minutes. Little's law: so many are in a server as it spends
seconds on requests each second. Triton counts waiting ones itself.
knocking: the gateway's vain calls, a second. They alone can wake a server that has no replica to count anything.
*/}}

{{- define "spark.demand" -}}
{{- $labels := printf "namespace=%q,service=%q" .root.Release.Namespace (include "spark.name" .) -}}
{{- if include "spark.isTriton" . -}}
sum(nv_inference_pending_request_count{ {{- $labels -}} ,model="{{ .component }}"}) + sum(rate(nv_inference_compute_infer_duration_us{ {{- $labels -}} ,model="{{ .component }}"}[2m])) / 1e6
{{- else -}}
sum(rate(spark_rpc_seconds_sum{ {{- $labels -}} ,method=~"/spark[.]v1[.].*"}[2m]))
{{- end -}}
{{- end }}

{{- define "spark.knocking" -}}
{{- $stages := get (dict "vlm" "plan|guide" "part_dit" "shape" "texture" "texture" "refinement" "refine") .component -}}
sum(rate(spark_stage_seconds_count{namespace="{{ .root.Release.Namespace }}",service="{{ include "spark.name" (dict "root" .root "component" "gateway") }}-pods",stage=~"{{ $stages }}",outcome="PEER_UNAVAILABLE"}[2m]))
{{- end }}
