{{- /* A pool whose pods keep their names (`kind: StatefulSet`); rolled one by one, so it has one pod less meanwhile. */}}
{{- define "celery-app.statefulset" }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "celery-app.name" . }}-pods
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
spec:
  clusterIP: None
  selector:
    {{- include "celery-app.selector" . | nindent 4 }}
    track: {{ .track }}
---
apiVersion: apps/v1
kind: StatefulSet
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
spec:
  serviceName: {{ include "celery-app.name" . }}-pods
  {{- include "celery-app.replicas" . | nindent 2 }}
  revisionHistoryLimit: 5
  minReadySeconds: 5
  podManagementPolicy: Parallel
  updateStrategy:
    {{- .pool.updateStrategy | default (dict "type" "RollingUpdate") | toYaml | nindent 4 }}
  selector:
    matchLabels:
      {{- include "celery-app.selector" . | nindent 6 }}
      track: {{ .track }}
  template:
    {{- include "celery-app.pod" . | nindent 4 }}
  {{- with .pool.volumeClaimTemplates }}
  # A volume outlives its pod, and its StatefulSet: what it holds is deleted by hand.
  volumeClaimTemplates:
    {{- toYaml . | nindent 4 }}
  {{- end }}
{{- end }}
