{{- /* What helm prints after an install or upgrade; a chart's NOTES.txt includes it. */}}
{{- define "celery-app.notes" -}}
{{- include "celery-app.with.values" (dict "top" . "template" "celery-app.notes.text") }}
{{- end }}

{{- define "celery-app.notes.text" -}}
{{- $in := printf "--namespace %s" .Release.Namespace }}
{{ .Release.Name }} {{ .Chart.Name }} {{ .Values.image.repository }}:{{ .Values.image.tag }} in the namespace {{ .Release.Namespace }}:
{{- range $name := keys .Values.pools | sortAlpha }}
{{- $pool := include "celery-app.pool" (dict "root" $ "name" $name) | fromYaml }}
  {{ printf "%-20s %-8s %d replicas %s" $name $pool.role (int $pool.replicas) (join "," $pool.queues) | trim }}
{{- end }}

pods          kubectl get pods {{ $in }} --selector app.kubernetes.io/instance={{ .Release.Name }}
logs          kubectl logs {{ $in }} --selector app.kubernetes.io/instance={{ .Release.Name }} --prefix --tail 20
{{- if include "celery-app.migrates" . }}
migration     Its Job is removed when it ends, with what it printed above when it failed.
{{- end }}
{{- if .Values.test.command }}
a request     helm test {{ .Release.Name }} {{ $in }} --logs
{{- end }}
back          helm rollback {{ .Release.Name }} {{ $in }}
{{- end }}
