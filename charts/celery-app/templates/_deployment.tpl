{{- /* A pool that is rolled without ever having fewer pods than it should: one more first, then one less. */}}
{{- define "celery-app.deployment" }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
spec:
  {{- include "celery-app.replicas" . | nindent 2 }}
  revisionHistoryLimit: 5
  minReadySeconds: 5
  progressDeadlineSeconds: {{ add 120 (int .pool.startupSeconds) }}
  strategy:
    {{- include "celery-app.strategy" . | nindent 4 }}
  selector:
    matchLabels:
      {{- include "celery-app.selector" . | nindent 6 }}
      track: {{ .track }}
  template:
    {{- include "celery-app.pod" . | nindent 4 }}
{{- end }}

{{- define "celery-app.strategy" -}}
{{- $safe := dict "type" "RollingUpdate" "rollingUpdate" (dict "maxUnavailable" 0 "maxSurge" 1) }}
{{- .pool.updateStrategy | default $safe | toYaml }}
{{- end }}

{{- /* How many pods; left to the autoscaler where there is one, or every deploy would undo what it did. */}}
{{- define "celery-app.replicas" -}}
{{- if eq .track "canary" -}}
replicas: {{ int .pool.canary.replicas }}
{{- else if eq .pool.autoscaling.by "none" -}}
replicas: {{ int .pool.replicas }}
{{- end }}
{{- end }}
