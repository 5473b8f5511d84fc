{{/*
TLS between the servers, and at the public API. Each component has one certificate, with which it answers and calls;
cert-manager writes it into a secret of the component's name. Each takes root and component.
*/}}

{{/* "yes" where a component answers by TLS: model servers always, the gateway where tls.public says so, vLLM never. */}}
{{- define "spark.answersByTls" -}}
{{- $tls := .root.Values.tls -}}
{{- if and $tls.enabled (ne .component "vllm") (or (ne .component "gateway") (ne $tls.public "none")) }}yes{{ end }}
{{- end }}

{{/* Where Kubernetes' probes ask, which speak no TLS. */}}
{{- define "spark.healthPort" -}}
{{- if include "spark.answersByTls" . }}50060{{ else }}{{ include "spark.port" . }}{{ end }}
{{- end }}

{{/* Variables of a Python server. Takes prefix too. */}}
{{- define "spark.tlsVariables" -}}
{{- $tls := .root.Values.tls -}}
{{- if include "spark.answersByTls" . }}
- name: {{ .prefix }}TLS_CERTIFICATE
  value: /tls/tls.crt
- name: {{ .prefix }}TLS_KEY
  value: /tls/tls.key
{{- if or (ne .component "gateway") (eq $tls.public "mutual") }}
- name: {{ .prefix }}TLS_CLIENT_CA
  value: /tls/ca.crt
{{- end }}
- name: {{ .prefix }}HEALTH_PORT
  value: {{ include "spark.healthPort" . | quote }}
{{- end }}
{{- if and $tls.enabled (eq .component "gateway") }}
- name: {{ .prefix }}PEER_CA
  value: /tls/ca.crt
- name: {{ .prefix }}PEER_CERTIFICATE
  value: /tls/tls.crt
- name: {{ .prefix }}PEER_KEY
  value: /tls/tls.key
{{- end }}
{{- end }}

{{- define "spark.healthContainerPort" -}}
{{- if include "spark.answersByTls" . }}
- {name: health, containerPort: {{ include "spark.healthPort" . }}}
{{- end }}
{{- end }}

{{- define "spark.tlsMount" -}}
{{- if .root.Values.tls.enabled }}
- {name: tls, mountPath: /tls, readOnly: true}
{{- end }}
{{- end }}

{{- define "spark.tlsSecret" -}}
{{ include "spark.name" . }}-tls
{{- end }}
