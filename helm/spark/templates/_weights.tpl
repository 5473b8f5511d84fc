{{/* Weights out of the object storage: an init container copies what the cache lacks and checks every digest. */}}

{{/* Where `checkpoints.fetch` puts a source: a folder of the digest's name, and in it one of the source's own name. */}}
{{- define "spark.weightsFolder" -}}
/weights/{{ .digest }}/{{ base .url }}
{{- end }}

{{/* The sources of a component, as a JSON array. Takes root and component. */}}
{{- define "spark.weightsSources" -}}
{{- $values := index .root.Values .component -}}
{{- $sources := list -}}
{{- if eq .component "vlm" -}}
{{- range list $values.weights.plan $values.weights.editor }}{{ if .url }}{{ $sources = append $sources . }}{{ end }}{{ end -}}
{{- else if eq .component "vllm" -}}
{{- $sources = list $values.weights -}}
{{- else if include "spark.isTriton" . -}}
{{- $sources = $values.weights -}}
{{- end -}}
{{- $sources | toJson -}}
{{- end }}

{{- define "spark.initContainers" -}}
{{- $root := .root -}}
{{- $weights := $root.Values.weights -}}
{{- $sources := include "spark.weightsSources" . | fromJsonArray -}}
{{- if $sources -}}
initContainers:
  - name: weights
    image: {{ include "spark.image" (dict "root" $root "component" "gateway") | quote }}
    imagePullPolicy: {{ $root.Values.images.pullPolicy }}
    securityContext:
      {{- include "spark.securityContext" . | nindent 6 }}
    command: [python, -m, checkpoints.fetch, --cache, /weights]
    args:
      {{- range $sources }}
      - {{ .url }}={{ .digest }}
      {{- end }}
    env:
      - name: HOME
        value: /tmp
      {{- include "spark.storeEnvironment" $weights | nindent 6 }}
    {{- with $weights.secret }}
    envFrom:
      - secretRef: {name: {{ . }}}
    {{- end }}
    resources:
      requests: {cpu: 500m, memory: 256Mi}
      limits: {cpu: "2", memory: 1Gi}
    volumeMounts:
      - {name: tmp, mountPath: /tmp}
      - {name: weights, mountPath: /weights}
  {{- if include "spark.isTriton" . }}
  - name: repository
    image: {{ include "spark.image" . | quote }}
    imagePullPolicy: {{ $root.Values.images.pullPolicy }}
    securityContext:
      {{- include "spark.securityContext" . | nindent 6 }}
    # The image's code with each version's weights. Without a policy Triton would serve the highest version only.
    command:
      - sh
      - -euc
      - |
        from=$1 to=$2
        shift 2
        mkdir -p "$to"
        cp "$from/config.pbtxt" "$to/config.pbtxt"
        echo 'version_policy { all { } }' >> "$to/config.pbtxt"
        for version in "$@"; do
          folder="$to/${version%%=*}"
          mkdir -p "$folder"
          cp "$from/1/model.py" "$folder/model.py"
          ln -sfn "${version#*=}" "$folder/weights"
        done
      - repository
    args:
      - /models/{{ .component }}
      - /repository/{{ .component }}
      {{- range $sources }}
      - {{ .version }}={{ include "spark.weightsFolder" . }}
      {{- end }}
    resources:
      requests: {cpu: 100m, memory: 64Mi}
      limits: {cpu: "1", memory: 128Mi}
    volumeMounts:
      - {name: repository, mountPath: /repository}
  {{- end }}
{{- end }}
{{- end }}

{{- define "spark.volumes" -}}
{{- $values := index .root.Values .component -}}
{{- $cache := .root.Values.weights.cache -}}
{{- $sources := include "spark.weightsSources" . | fromJsonArray -}}
{{- if and .root.Values.tls.enabled (ne .component "vllm") }}
- name: tls
  secret: {secretName: {{ include "spark.tlsSecret" . }}, defaultMode: 0440}
{{- end }}
{{- if and (eq .component "gateway") (not (include "spark.gateway.needsVolume" .root)) }}
- name: data
  emptyDir: {sizeLimit: 1Gi}
{{- end }}
{{- if $values.sharedMemory }}
- name: shm
  emptyDir: {medium: Memory, sizeLimit: {{ $values.sharedMemory }}}
{{- end }}
{{- if $sources }}
- name: weights
  {{- if eq $cache.kind "node" }}
  hostPath: {path: {{ $cache.path }}, type: Directory}
  {{- else if eq $cache.kind "claim" }}
  persistentVolumeClaim: {claimName: {{ $cache.claim }}}
  {{- else }}
  emptyDir: {sizeLimit: {{ $cache.size }}}
  {{- end }}
{{- if include "spark.isTriton" . }}
- name: repository
  emptyDir: {sizeLimit: 16Mi}
{{- end }}
{{- end }}
{{- end }}
