{{- /* The settings as environment variables; what is secret comes from `existingSecret` instead. */}}
{{- define "celery-app.config" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: {{ include "celery-app.fullname" . }}-settings
  labels:
    {{- include "celery-app.whole" (dict "root" . "name" "settings") | nindent 4 }}
data:
  {{- include "celery-app.environment" . | nindent 2 }}
  # Not among what the checksum covers: a worker that runs is told by remote control, one that starts anew reads it here.
  CONSUMERS_PAUSED: {{ .Values.consumersPaused | quote }}
{{- end }}

{{- /* `reservationSeconds: 900` becomes RESERVATION_SECONDS: "900". */}}
{{- define "celery-app.environment" -}}
{{- range $key := keys .Values.settings | sortAlpha }}
{{- $value := index $.Values.settings $key }}
{{ $key | snakecase | upper }}: {{ include "celery-app.plain" $value | quote }}
{{- end }}
{{- end }}
