{{- /* What helm prints after an install or upgrade; a chart's NOTES.txt includes it. */}}
{{- define "celery-app.notes" -}}
{{- $own := omit .Values "celery-app" "global" }}
{{- $library := omit (index .Values "celery-app" | default dict) "global" }}
{{- $values := mustMergeOverwrite (mustDeepCopy $library) (mustDeepCopy $own) }}
{{- $root := dict "Values" $values "Release" .Release "Chart" .Chart "Capabilities" .Capabilities }}
{{- $in := printf "--namespace %s" .Release.Namespace }}
{{ .Release.Name }} {{ .Chart.Name }} {{ $values.image.repository }}:{{ $values.image.tag }} in the namespace {{ .Release.Namespace }}:
{{- range $name := keys $values.pools | sortAlpha }}
{{- $pool := include "celery-app.pool" (dict "root" $root "name" $name) | fromYaml }}
  {{ printf "%-20s %-8s %d replicas %s" $name $pool.role (int $pool.replicas) (join "," $pool.queues) | trim }}
{{- end }}

pods          kubectl get pods {{ $in }} --selector app.kubernetes.io/instance={{ .Release.Name }}
logs          kubectl logs {{ $in }} --selector app.kubernetes.io/instance={{ .Release.Name }} --prefix --tail 20
{{- if include "celery-app.migrates" $root }}
migration     Its Job is removed when it ends, with what it printed above when it failed.
{{- end }}
{{- if $values.test.command }}
a request     helm test {{ .Release.Name }} {{ $in }} --logs
{{- end }}
back          helm rollback {{ .Release.Name }} {{ $in }}
{{- end }}
