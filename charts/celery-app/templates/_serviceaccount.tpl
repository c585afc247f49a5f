{{- /* An identity without a token: nothing here speaks to the Kubernetes API. A cloud's workload identity is an annotation. */}}
{{- define "celery-app.serviceaccount" }}
{{- if .Values.serviceAccount.create }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Values.serviceAccount.name | default (include "celery-app.fullname" .) }}
  labels:
    {{- include "celery-app.whole" (dict "root" . "name" "serviceaccount") | nindent 4 }}
  {{- with .Values.serviceAccount.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
automountServiceAccountToken: false
{{- end }}
{{- end }}
