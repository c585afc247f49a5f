{{- /*
Startup, readiness and liveness by HTTP: what the process itself last wrote about its loop, see chassis/health.py. No exec: that starts a
process in the pod every few seconds, which on a node without a free core takes longer than any probe should wait.

A stuck consumer is known after 30 s, and liveness fails 3 times in 60 s; its process then has as long as the pool's grace, at most
75 s, so that the pod consumes again within 3 minutes. A broker that is away makes a pod not ready, never dead.
*/}}
{{- define "celery-app.probes" -}}
startupProbe:
  {{- include "celery-app.probe" (dict "one" . "asks" "live") | nindent 2 }}
  periodSeconds: 1
  timeoutSeconds: 15
  failureThreshold: {{ int .pool.startupSeconds }}
readinessProbe:
  {{- include "celery-app.probe" (dict "one" . "asks" "ready") | nindent 2 }}
  periodSeconds: {{ if eq .pool.role "api" }}2{{ else }}5{{ end }}
  timeoutSeconds: 10
  failureThreshold: 2
livenessProbe:
  {{- include "celery-app.probe" (dict "one" . "asks" "live") | nindent 2 }}
  periodSeconds: 20
  timeoutSeconds: 10
  failureThreshold: 3
  terminationGracePeriodSeconds: {{ min 75 (max 1 (int .pool.graceSeconds)) }}
{{- end }}

{{- define "celery-app.probe" -}}
httpGet:
  path: /health/{{ .asks }}
  port: {{ include "celery-app.port" .one }}
{{- end }}
