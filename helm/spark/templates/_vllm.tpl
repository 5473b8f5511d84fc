{{/* vLLM's own image with the plan model, which the vlm server asks over OpenAI's API. */}}
{{- define "spark.main.vllm" -}}
{{- $values := .root.Values.vllm -}}
command: [vllm, serve]
args:
  - {{ include "spark.weightsFolder" $values.weights }}
  - --served-model-name={{ $values.model }}
  - --host=0.0.0.0
  - --port={{ include "spark.port" . }}
  - --max-model-len={{ $values.maxModelLength }}
  - --shutdown-timeout={{ $values.graceSeconds }}
  - '--structured-outputs-config={"backend": "guidance", "disable_any_whitespace": true}'
env:
  - name: HOME
    value: /tmp
  - name: HF_HUB_OFFLINE
    value: "1"
  - name: VLLM_NO_USAGE_STATS
    value: "1"
  {{- with $values.apiKey.secret }}
  - name: VLLM_API_KEY
    valueFrom: {secretKeyRef: {name: {{ . }}, key: {{ $values.apiKey.key }}}}
  {{- end }}
ports:
  - {name: http, containerPort: {{ include "spark.port" . }}}
startupProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
  failureThreshold: {{ divf $values.startupSeconds 5 | ceil | int }}
readinessProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 5
  timeoutSeconds: 3
livenessProbe:
  httpGet: {path: /health, port: http}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 6
volumeMounts:
  - {name: tmp, mountPath: /tmp}
  - {name: shm, mountPath: /dev/shm}
  - {name: weights, mountPath: /weights, readOnly: true}
{{- end }}
