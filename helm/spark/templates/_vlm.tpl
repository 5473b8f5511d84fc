{{/* The VLM service's container; services/vlm/settings.py says what each variable means. */}}
{{- define "spark.main.vlm" -}}
{{- $values := .root.Values.vlm -}}
{{- $vllm := .root.Values.vllm -}}
command: [python, -m, services.vlm.server]
env:
  - name: HOME
    value: /tmp
  - name: SPARK_VLM_ADDRESS
    value: 0.0.0.0:{{ include "spark.port" . }}
  - name: SPARK_VLM_METRICS_PORT
    value: {{ include "spark.metricsPort" . | quote }}
  - name: SPARK_VLM_DEVICE
    value: {{ ternary "cuda:0" "cpu" (gt (int $values.gpu.count) 0) }}
  {{- if $vllm.enabled }}
  - name: SPARK_VLM_PLAN_SERVER
    value: http://{{ include "spark.address" (dict "root" .root "component" "vllm") }}/
  - name: SPARK_VLM_PLAN_MODEL
    value: {{ $vllm.model }}
  - name: SPARK_VLM_PLAN_DIGEST
    value: {{ $vllm.weights.digest | quote }}
  {{- with $vllm.apiKey.secret }}
  - name: SPARK_VLM_PLAN_API_KEY
    valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $vllm.apiKey.key }}}}
  {{- end }}
  {{- end }}
  {{- if $values.weights.plan.url }}
  - name: SPARK_VLM_PLAN_FOLDER
    value: {{ include "spark.weightsFolder" $values.weights.plan }}
  {{- end }}
  {{- if $values.weights.editor.url }}
  - name: SPARK_VLM_EDITOR_FOLDER
    value: {{ include "spark.weightsFolder" $values.weights.editor }}
  {{- end }}
  {{- with $values.editorServer }}
  {{- if .url }}
  - name: SPARK_VLM_EDITOR_SERVER
    value: {{ .url | quote }}
  - name: SPARK_VLM_EDITOR_MODEL
    value: {{ .model | quote }}
  - name: SPARK_VLM_EDITOR_DIGEST
    value: {{ .digest | quote }}
  {{- if .secret }}
  - name: SPARK_VLM_EDITOR_API_KEY
    valueFrom:
      secretKeyRef: {name: {{ .secret | quote }}, key: {{ .key | quote }}}
  {{- end }}
  {{- end }}
  {{- end }}
  {{- include "spark.tlsVariables" (merge (dict "prefix" "SPARK_VLM_") .) | nindent 2 }}
  {{- include "spark.settings" (dict "prefix" "SPARK_VLM_" "settings" $values.settings) | nindent 2 }}
ports:
  - {name: grpc, containerPort: {{ include "spark.port" . }}}
  - {name: metrics, containerPort: {{ include "spark.metricsPort" . }}}
  {{- include "spark.healthContainerPort" . | nindent 2 }}
{{ include "spark.grpcProbes" . }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- include "spark.tlsMount" . | nindent 2 }}
  {{- if ne (include "spark.weightsSources" .) "[]" }}
  - {name: weights, mountPath: /weights, readOnly: true}
  {{- end }}
{{- end }}
