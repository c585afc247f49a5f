{{- /* An identity without a token: nothing here speaks to the Kubernetes API. */}}
{{- define "celery-app.serviceaccount" }}
---
apiVersion: v1
kind: ServiceAccount
metadata:
  name: {{ .Release.Name }}
  labels:
    {{- include "celery-app.whole" (dict "root" . "name" "serviceaccount") | nindent 4 }}
automountServiceAccountToken: false
{{- end }}
