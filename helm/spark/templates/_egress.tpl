{{/* Where a component connects to: the gateway to model servers, the cluster's API and its stores, vlm to vLLM and to the
      server of the image-editing model, init containers to weights. */}}

{{- define "spark.egress" -}}
{{- $root := .root -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- $gateway := eq .component "gateway" -}}
{{- $asksVllm := and (eq .component "vlm") $root.Values.vllm.enabled -}}
{{- $edits := and (eq .component "vlm") $root.Values.vlm.editorServer.url -}}
{{- $servers := ternary (splitList " " (include "spark.modelServers" $root)) (ternary (list "vllm") list $asksVllm) $gateway -}}
{{- $storage := ternary $root.Values.gateway.store.url (ne (include "spark.weightsSources" .) "[]") $gateway -}}
{{- range $servers }}
{{- $server := dict "root" $root "component" . }}
- ports:
    - {protocol: TCP, port: {{ include "spark.port" $server }}}
  to:
    - podSelector:
        matchLabels:
          {{- include "spark.selector" $server | nindent 10 }}
{{- end }}
{{- if $gateway }}
{{ include "spark.egressTo" $policy.kubernetes }}
{{- if $root.Values.gateway.database.secret }}
{{ include "spark.egressTo" $policy.database }}
{{- end }}
{{- end }}
{{- if $storage }}
{{ include "spark.egressTo" $policy.storage }}
{{- end }}
{{- if $edits }}
{{ include "spark.egressTo" $policy.editorServer }}
{{- end }}
{{- if or $servers $storage $edits }}
- ports:
    - {protocol: UDP, port: 53}
    - {protocol: TCP, port: 53}
  to:
    - namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}
{{- end }}
{{- end }}

{{- define "spark.egressTo" -}}
- ports:
    - {protocol: TCP, port: {{ .port }}}
  {{- with .to }}
  to:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
