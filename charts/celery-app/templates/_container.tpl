{{- /* What the one container of a pod runs, is told, and may do. All take {root, name, pool, track}. */}}

{{- /* The command line, in exec form, as the laptop runtime builds it. */}}
{{- define "celery-app.command" -}}
{{- $app := .root.Values.app }}
{{- $pool := .pool }}
{{- $plain := eq .root.Values.runtime "celery" }}
{{- $line := list "python" "-m" }}
{{- $celery := list "celery" "--app" (printf "%s:app" $app) }}
{{- if $plain }}
{{- $line = list "python" "/etc/celery-app/run_celery.py" }}
{{- $celery = list "--app" $app }}
{{- end }}
{{- if $pool.command }}
{{- $line = $pool.command }}
{{- else if eq $pool.role "api" }}
{{- $line = concat $line (list "chassis.serve" $app) }}
{{- else if eq $pool.role "relay" }}
{{- $line = concat $line (list "chassis.relay" $app) }}
{{- else if eq $pool.role "beat" }}
{{- $line = concat $line $celery (list "beat" "--schedule" "/run/app/schedule" "--loglevel" "INFO") }}
{{- else }}
{{- $line = concat $line $celery (list "worker" "--queues" (join "," $pool.queues)) }}
{{- $line = concat $line (list "--concurrency" (int $pool.concurrency | toString) "--pool" $pool.poolType) }}
{{- $line = concat $line (list "--hostname" (printf "%s@$(POD_NAME)" .name) "--without-gossip" "--without-mingle") }}
{{- $line = concat $line (list "--prefetch-multiplier" (int $pool.prefetch | toString)) }}
{{- $line = concat $line (list "--time-limit" (int $pool.timeLimitSeconds | toString)) }}
{{- $line = concat $line (list "--soft-time-limit" (int $pool.softTimeLimitSeconds | toString)) }}
{{- with $pool.maxTasksPerChild }}
{{- $line = concat $line (list "--max-tasks-per-child" (int . | toString)) }}
{{- end }}
{{- with $pool.maxMemoryPerChildKib }}
{{- $line = concat $line (list "--max-memory-per-child" (int . | toString)) }}
{{- end }}
{{- if eq .root.Values.broker "redis" }}
{{- $line = append $line "--disable-prefetch" }}
{{- end }}
{{- $line = concat $line (list "--loglevel" "INFO") $pool.extraArgs }}
{{- end }}
{{- toYaml $line }}
{{- end }}

{{- /* What is the process's own; the service's settings come from the ConfigMap and the secret. */}}
{{- define "celery-app.env" -}}
- name: POD_NAME
  valueFrom:
    fieldRef:
      fieldPath: metadata.name
- name: POOL
  value: {{ .name }}
{{- if eq .root.Values.runtime "chassis" }}
- name: HEARTBEAT_FILE
  value: /run/app/heartbeat
{{- end }}
- name: HOST
  value: {{ .root.Values.host | quote }}
{{- if eq .pool.role "api" }}
- name: PORT
  value: "8000"
- name: LINGER_SECONDS
  value: {{ int .pool.preStopSeconds | quote }}
- name: DRAIN_SECONDS
  value: {{ max 1 (sub (int .pool.drainSeconds) 1) | quote }}
{{- end }}
- name: METRICS_PORT
  value: "9100"
- name: SERVICE_VERSION
  value: {{ include "celery-app.image" . | splitList ":" | last | quote }}
{{- if ne .pool.role "api" }}
{{- if eq .root.Values.runtime "celery" }}
# A solo worker's loop stands still while it runs a task.
- name: LOOP_PATIENCE_SECONDS
  value: {{ add 60 (ternary (int .pool.timeLimitSeconds) 0 (eq .pool.poolType "solo")) | quote }}
{{- else }}
- name: PROMETHEUS_MULTIPROC_DIR
  value: /run/app/metrics
{{- end }}
{{- end }}
{{- include "celery-app.env.shared" . }}
{{- end }}

{{- /* What every container gets, whoever it runs as: a home that it can write. */}}
{{- define "celery-app.env.shared" }}
- name: HOME
  value: /tmp
{{- if .root.Values.caBundle.configMap }}
- name: SSL_CERT_FILE
  value: /etc/app/ca/{{ .root.Values.caBundle.key }}
{{- end }}
{{- end }}

{{- define "celery-app.mounts" -}}
- name: tmp
  mountPath: /tmp
- name: run
  mountPath: /run/app
{{- if eq .root.Values.runtime "celery" }}
- name: runtime
  mountPath: /etc/celery-app
  readOnly: true
{{- end }}
{{- if .root.Values.caBundle.configMap }}
- name: ca
  mountPath: /etc/app/ca
  readOnly: true
{{- end }}
{{- end }}

{{- /* Heartbeat and counters are rewritten every second: in memory, so that a slow or full disk cannot make a pod look dead. */}}
{{- define "celery-app.volumes" -}}
- name: tmp
  emptyDir:
    sizeLimit: 256Mi
- name: run
  emptyDir:
    medium: Memory
    sizeLimit: 64Mi
{{- if eq .root.Values.runtime "celery" }}
- name: runtime
  configMap:
    name: {{ include "celery-app.fullname" .root }}-runtime
{{- end }}
{{- if .root.Values.caBundle.configMap }}
- name: ca
  configMap:
    name: {{ .root.Values.caBundle.configMap }}
{{- end }}
{{- end }}

{{- /* The restricted profile; no uid, so that a namespace may give any. What a pool says comes over it. */}}
{{- define "celery-app.security" -}}
{{- $restricted := dict "allowPrivilegeEscalation" false "readOnlyRootFilesystem" true "capabilities" (dict "drop" (list "ALL")) }}
{{- mustMergeOverwrite $restricted (.pool.securityContext | default dict) | toYaml }}
{{- end }}

{{- define "celery-app.podsecurity" -}}
{{- $restricted := dict "runAsNonRoot" true "seccompProfile" (dict "type" "RuntimeDefault") }}
{{- mustMergeOverwrite $restricted (.pool.podSecurityContext | default dict) | toYaml }}
{{- end }}
