{{/* Where a component connects to: the gateway to every model server and its stores, an init container to the weights. */}}

{{- define "spark.egress" -}}
{{- $root := .root -}}
{{- $policy := $root.Values.networkPolicy -}}
{{- $gateway := eq .component "gateway" -}}
{{- $storage := ternary $root.Values.gateway.store.url (ne (include "spark.weightsSources" .) "[]") $gateway -}}
{{- if $gateway }}
{{- range splitList " " (include "spark.modelServers" $root) }}
{{- $server := dict "root" $root "component" . }}
- ports:
    - {protocol: TCP, port: {{ include "spark.port" $server }}}
  to:
    - podSelector:
        matchLabels:
          {{- include "spark.selector" $server | nindent 10 }}
{{- end }}
{{- if $root.Values.gateway.database.secret }}
{{ include "spark.egressTo" $policy.database }}
{{- end }}
{{- end }}
{{- if $storage }}
{{ include "spark.egressTo" $policy.storage }}
{{- end }}
{{- if or $gateway $storage }}
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
