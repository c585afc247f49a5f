{{- /* What Prometheus scrapes: by the operator's objects where `monitoring.monitors` asks for them, else by plain annotations. */}}
{{- define "celery-app.scrape" -}}
{{- if not .root.Values.monitoring.monitors }}
{{- if eq .pool.role "worker" -}}
prometheus.io/scrape: "true"
prometheus.io/port: "9100"
prometheus.io/path: /metrics
{{- else if eq .pool.role "api" -}}
prometheus.io/scrape: "true"
prometheus.io/port: "8000"
prometheus.io/path: /metrics
{{- end }}
{{- end }}
{{- end }}

{{- define "celery-app.monitor" }}
{{- if .Values.monitoring.monitors }}
{{- range $port := list "http" "metrics" }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ $.Release.Name }}-{{ $port }}
  labels:
    {{- include "celery-app.whole" (dict "root" $ "name" "monitor") | nindent 4 }}
    {{- with $.Values.monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      app.kubernetes.io/name: {{ $.Chart.Name }}
      app.kubernetes.io/instance: {{ $.Release.Name }}
  # The pods' names stay off the series, or every rollout would start new ones.
  podTargetLabels: [app.kubernetes.io/component, track]
  podMetricsEndpoints:
    - port: {{ $port }}
      path: /metrics
      interval: {{ int $.Values.monitoring.intervalSeconds }}s
{{- end }}
{{- end }}
{{- end }}
