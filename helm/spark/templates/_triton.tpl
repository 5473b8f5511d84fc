{{/*
Triton with one model. The image brings /models/NAME: config.pbtxt, 1/model.py and, for the compact family, 1/weights.
Where the values name versions, /repository/NAME is laid out from the image's code and the fetched weights.
*/}}
{{- define "spark.main.triton" -}}
{{- $root := .root -}}
{{- $values := index $root.Values .component -}}
command: [tritonserver]
args:
  - --model-repository={{ ternary "/repository" "/models" (gt (len $values.weights) 0) }}
  - --model-control-mode=explicit
  - --load-model={{ .component }}
  - --exit-on-error=false
  - --strict-readiness=true
  - --disable-auto-complete-config
  - --exit-timeout-secs={{ $values.graceSeconds }}
  {{- if $root.Values.tls.enabled }}
  - --grpc-use-ssl-mutual=true
  - --grpc-server-cert=/tls/tls.crt
  - --grpc-server-key=/tls/tls.key
  - --grpc-root-cert=/tls/ca.crt
  {{- end }}
env:
  - name: HOME
    value: /tmp
  - name: OMP_NUM_THREADS
    value: {{ $values.threads | quote }}
ports:
  - {name: grpc, containerPort: {{ include "spark.port" . }}}
  - {name: http, containerPort: 8000}
  - {name: metrics, containerPort: {{ include "spark.metricsPort" . }}}
# Over HTTP, by model: a version that fails to load makes the gRPC health of the whole server NOT_SERVING, although the
# version before it still answers.
startupProbe:
  httpGet: {path: /v2/models/{{ .component }}/ready, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: {{ divf $values.startupSeconds 5 | ceil | int }}
readinessProbe:
  httpGet: {path: /v2/models/{{ .component }}/ready, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /v2/health/live, port: http}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  {{- include "spark.tlsMount" . | nindent 2 }}
  - {name: shm, mountPath: /dev/shm}
  {{- if $values.weights }}
  - {name: repository, mountPath: /repository}
  - {name: weights, mountPath: /weights, readOnly: true}
  {{- end }}
{{- end }}
