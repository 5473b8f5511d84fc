{{/* The refinement service's container; services/refinement/settings.py says what each variable means. */}}
{{- define "spark.main.refinement" -}}
{{- $values := .root.Values.refinement -}}
command: [python, -m, services.refinement.server]
env:
  - name: HOME
    value: /tmp
  - name: SPARK_REFINEMENT_ADDRESS
    value: 0.0.0.0:{{ include "spark.port" . }}
  - name: SPARK_REFINEMENT_METRICS_PORT
    value: {{ include "spark.metricsPort" . | quote }}
  - name: SPARK_REFINEMENT_DEVICE
    value: {{ ternary "cuda:0" "cpu" (gt (int $values.gpu.count) 0) }}
  {{- include "spark.tlsVariables" (merge (dict "prefix" "SPARK_REFINEMENT_") .) | nindent 2 }}
  {{- include "spark.settings" (dict "prefix" "SPARK_REFINEMENT_" "settings" $values.settings) | nindent 2 }}
ports:
  - {name: grpc, containerPort: {{ include "spark.port" . }}}
  - {name: metrics, containerPort: {{ include "spark.metricsPort" . }}}
  {{- include "spark.healthContainerPort" . | nindent 2 }}
{{ include "spark.grpcProbes" . }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- include "spark.tlsMount" . | nindent 2 }}
{{- end }}
