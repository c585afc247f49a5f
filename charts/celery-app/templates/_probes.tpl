{{- /*
Startup, readiness and liveness by HTTP: what the process itself last wrote about its loop, see chassis/health.py. No exec: that starts a
process in the pod every few seconds, which on a node without a free core takes longer than any probe should wait.

A stuck consumer is known after 30 s, and liveness fails 3 times in 60 s; its process then has as long as the pool's grace, at most
75 s, so that the pod consumes again within 3 minutes. A broker that is away makes a pod not ready, never dead.
*/}}
{{- define "celery-app.probes" -}}
{{- $own := .pool.probes | default dict }}
{{- $port := include "celery-app.port" . }}
{{- $live := dict "httpGet" (dict "path" "/health/live" "port" $port) }}
{{- $ready := dict "httpGet" (dict "path" "/health/ready" "port" $port) }}
{{- $startup := dict "periodSeconds" 1 "timeoutSeconds" 15 "failureThreshold" (int .pool.startupSeconds) }}
{{- $readiness := dict "periodSeconds" (ternary 2 5 (eq .pool.role "api")) "timeoutSeconds" 10 "failureThreshold" 2 }}
{{- $liveness := dict "periodSeconds" 20 "timeoutSeconds" 10 "failureThreshold" 3 "terminationGracePeriodSeconds" (min 75 (max 1 (int .pool.graceSeconds))) }}
startupProbe:
  {{- include "celery-app.probe" (list $live $startup $own.startup) | nindent 2 }}
readinessProbe:
  {{- include "celery-app.probe" (list $ready $readiness $own.readiness) | nindent 2 }}
livenessProbe:
  {{- include "celery-app.probe" (list $live $liveness $own.liveness) | nindent 2 }}
{{- end }}

{{- /* How it asks, how often, and what the pool says instead; a pool that asks by exec, grpc or tcpSocket asks by nothing else. */}}
{{- define "celery-app.probe" -}}
{{- $own := index . 2 | default dict }}
{{- $asks := ternary dict (index . 0) (or (hasKey $own "exec") (hasKey $own "grpc") (hasKey $own "tcpSocket")) }}
{{- mustMergeOverwrite (mustDeepCopy $asks) (index . 1) $own | toYaml }}
{{- end }}
