{{/* The gateway's container; gateway/settings.py says what each variable means. */}}

{{/* "yes" where SQLite or artifacts lie on the replica's own volume. */}}
{{- define "spark.gateway.needsVolume" -}}
{{- if not (and .Values.gateway.database.secret .Values.gateway.store.url) }}yes{{ end }}
{{- end }}

{{- define "spark.main.gateway" -}}
{{- $root := .root -}}
{{- $values := $root.Values.gateway -}}
command: [python, -m, gateway.server]
env:
  - name: HOME
    value: /tmp
  - name: SPARK_GATEWAY_ADDRESS
    value: 0.0.0.0:{{ include "spark.port" . }}
  # On loopback: whoever may forward a port of the pod may release models.
  - name: SPARK_GATEWAY_ADMIN_ADDRESS
    value: 127.0.0.1:{{ include "spark.adminPort" . }}
  - name: SPARK_GATEWAY_REPLICAS
    value: kubernetes
  - name: SPARK_GATEWAY_METRICS_PORT
    value: {{ include "spark.metricsPort" . | quote }}
  - name: SPARK_GATEWAY_DATA_FOLDER
    value: /data
  - name: SPARK_GATEWAY_EXECUTOR_ID
    valueFrom: {fieldRef: {fieldPath: metadata.name}}
  {{- with $values.database }}
  {{- if .secret }}
  - name: SPARK_GATEWAY_DATABASE_URL
    valueFrom: {secretKeyRef: {name: {{ .secret }}, key: {{ .key }}}}
  {{- end }}
  {{- end }}
  {{- with $values.store.url }}
  - name: SPARK_GATEWAY_STORE_URL
    value: {{ . }}
  {{- end }}
  - name: SPARK_GATEWAY_VLM_ADDRESS
    value: {{ include "spark.address" (dict "root" $root "component" "vlm") }}
  - name: SPARK_GATEWAY_PART_DIT_ADDRESS
    value: {{ include "spark.address" (dict "root" $root "component" "part_dit") }}
  - name: SPARK_GATEWAY_TEXTURE_ADDRESS
    value: {{ include "spark.address" (dict "root" $root "component" "texture") }}
  - name: SPARK_GATEWAY_REFINEMENT_ADDRESS
    value: {{ include "spark.address" (dict "root" $root "component" "refinement") }}
  - name: SPARK_GATEWAY_TRITON_SHARED_MEMORY
    value: "false"
  {{- include "spark.tlsVariables" (merge (dict "prefix" "SPARK_GATEWAY_") .) | nindent 2 }}
  {{- include "spark.settings" (dict "prefix" "SPARK_GATEWAY_" "settings" $values.settings) | nindent 2 }}
  {{- include "spark.storeEnvironment" $values.store | nindent 2 }}
{{- with $values.store.secret }}
envFrom:
  - secretRef: {name: {{ . }}}
{{- end }}
ports:
  - {name: grpc, containerPort: {{ include "spark.port" . }}}
  - {name: admin, containerPort: {{ include "spark.adminPort" . }}}
  - {name: metrics, containerPort: {{ include "spark.metricsPort" . }}}
  {{- include "spark.healthContainerPort" . | nindent 2 }}
{{ include "spark.grpcProbes" . }}
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- include "spark.tlsMount" . | nindent 2 }}
  - {name: data, mountPath: /data}
{{- end }}
