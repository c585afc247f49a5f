{{- /* What Prometheus scrapes: by the operator's objects where `monitoring.monitors` asks for them, else by plain annotations. */}}
{{- define "celery-app.scrape" -}}
{{- if not .root.Values.monitoring.monitors }}
{{- if eq .pool.role "worker" -}}
prometheus.io/scrape: "true"
prometheus.io/port: "9100"
prometheus.io/path: /metrics
{{- else if and (eq .pool.role "api") (eq .root.Values.runtime "chassis") -}}
prometheus.io/scrape: "true"
prometheus.io/port: "8000"
prometheus.io/path: /metrics
{{- end }}
{{- end }}
{{- end }}

{{- /* Rules of the operator, and dashboards that Grafana's sidecar finds by their label, as the values hold them. */}}
{{- define "celery-app.rules" }}
{{- with .Values.monitoring.rules }}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: {{ include "celery-app.fullname" $ }}
  labels:
    {{- include "celery-app.whole" (dict "root" $ "name" "monitor") | nindent 4 }}
    {{- with $.Values.monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  groups:
    {{- toYaml . | nindent 4 }}
{{- end }}
{{- range $name, $dashboard := .Values.monitoring.dashboards }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "celery-app.fullname" $ }}-dashboard-{{ $name }}
  labels:
    {{- include "celery-app.whole" (dict "root" $ "name" "monitor") | nindent 4 }}
    grafana_dashboard: "1"
data:
  {{ $name }}.json: {{ $dashboard | quote }}
{{- end }}
{{- end }}

{{- define "celery-app.monitor" }}
{{- if .Values.monitoring.monitors }}
{{- range $port := list "http" "metrics" }}
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "celery-app.fullname" $ }}-{{ $port }}
  labels:
    {{- include "celery-app.whole" (dict "root" $ "name" "monitor") | nindent 4 }}
    {{- with $.Values.monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "celery-app.application" $ | nindent 6 }}
  # The pods' names stay off the series, or every rollout would start new ones.
  podTargetLabels: [app.kubernetes.io/component, track]
  podMetricsEndpoints:
    - port: {{ $port }}
      path: /metrics
      interval: {{ int $.Values.monitoring.intervalSeconds }}s
{{- end }}
{{- end }}
{{- end }}
