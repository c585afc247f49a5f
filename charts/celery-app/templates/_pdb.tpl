{{- /* One pod at a time may be evicted; one that is not healthy always, so that no drain waits for ever. */}}
{{- define "celery-app.pdb" }}
{{- if .pool.podDisruptionBudget.enabled }}
---
apiVersion: policy/v1
kind: PodDisruptionBudget
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
spec:
  maxUnavailable: {{ .pool.podDisruptionBudget.maxUnavailable }}
  unhealthyPodEvictionPolicy: AlwaysAllow
  selector:
    matchLabels:
      {{- include "celery-app.selector" . | nindent 6 }}
{{- end }}
{{- end }}
