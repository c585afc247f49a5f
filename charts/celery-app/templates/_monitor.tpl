{{- /* What Prometheus scrapes: by the operator's objects where `monitoring.monitors` asks for them, else by plain annotations. */}}
{{- define "celery-app.scrape" -}}
{{- $another := and (eq .pool.role "api") (eq .root.Values.runtime "celery") }}
{{- if not (or .root.Values.monitoring.monitors $another) }}
prometheus.io/scrape: "true"
prometheus.io/port: "9100"
prometheus.io/path: /metrics
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
---
apiVersion: monitoring.coreos.com/v1
kind: PodMonitor
metadata:
  name: {{ include "celery-app.fullname" $ }}-metrics
  labels:
    {{- include "celery-app.whole" (dict "root" $ "name" "monitor") | nindent 4 }}
    {{- with $.Values.monitoring.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  selector:
    matchLabels:
      {{- include "celery-app.application" $ | nindent 6 }}
  podTargetLabels: [track]
  sampleLimit: 5000
  labelLimit: 30
  podMetricsEndpoints:
    - port: metrics
      path: /metrics
      interval: {{ int $.Values.monitoring.intervalSeconds }}s
      # What a process says of itself counts, as its pool does.
      honorLabels: true
      relabelings:
        - sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_name]
          targetLabel: {{ $.Values.monitoring.applicationLabel }}
        - sourceLabels: [__meta_kubernetes_pod_label_app_kubernetes_io_component]
          targetLabel: pool
        # The pods' names stay off the series, or every rollout would start new ones; the address tells replicas apart.
        - action: labeldrop
          regex: pod|container|endpoint
{{- end }}
{{- end }}
