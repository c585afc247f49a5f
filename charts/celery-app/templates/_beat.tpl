{{- /* The clock: the old one ends before the new one starts, since two of them double every periodic task. */}}
{{- define "celery-app.beat" }}
---
apiVersion: apps/v1
kind: Deployment
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
spec:
  replicas: {{ ternary 0 (int .pool.replicas) .root.Values.consumersPaused }}
  revisionHistoryLimit: 5
  progressDeadlineSeconds: {{ add 120 (int .pool.startupSeconds) }}
  strategy:
    type: Recreate
  selector:
    matchLabels:
      {{- include "celery-app.selector" . | nindent 6 }}
      track: {{ .track }}
  template:
    {{- include "celery-app.pod" . | nindent 4 }}
{{- end }}
