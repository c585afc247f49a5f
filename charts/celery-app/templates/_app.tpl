{{- /*
Every object of one application; the only template that a chart includes. Values may stand at the top of its values.yaml, or under
`celery-app`, where the library's schema checks them; what neither says is as in the library's own values.yaml.
*/}}
{{- define "celery-app.app" -}}
{{- include "celery-app.with.values" (dict "top" . "template" "celery-app.objects") }}
{{- end }}

{{- /* A template with the values as a whole. Takes {top, template}. */}}
{{- define "celery-app.with.values" -}}
{{- $own := omit .top.Values "celery-app" "global" }}
{{- $library := omit (index .top.Values "celery-app" | default dict) "global" }}
{{- $values := mustMergeOverwrite (mustDeepCopy $library) (mustDeepCopy $own) }}
{{- include .template (dict "Values" $values "Release" .top.Release "Chart" .top.Chart "Capabilities" .top.Capabilities) }}
{{- end }}

{{- define "celery-app.objects" -}}
{{- include "celery-app.checks" . -}}
{{- include "celery-app.checks.cluster" . -}}
{{- include "celery-app.serviceaccount" . }}
{{- include "celery-app.config" . }}
{{- include "celery-app.runtime" . }}
{{- include "celery-app.migrate" . }}
{{- include "celery-app.networkpolicy" . }}
{{- include "celery-app.monitor" . }}
{{- include "celery-app.rules" . }}
{{- include "celery-app.cronjobs" . }}
{{- include "celery-app.test" . }}
{{- include "celery-app.scalerauth" . }}
{{- range $name := keys .Values.pools | sortAlpha }}
{{- $pool := include "celery-app.pool" (dict "root" $ "name" $name) | fromYaml }}
{{- $one := dict "root" $ "name" $name "pool" $pool "track" "stable" }}
{{- include "celery-app.workload" $one }}
{{- if $pool.canary }}
{{- include "celery-app.workload" (merge (dict "track" "canary") $one) }}
{{- end }}
{{- include "celery-app.pdb" $one }}
{{- include "celery-app.autoscaling" $one }}
{{- if $pool.ports }}
{{- include "celery-app.poolservice" $one }}
{{- end }}
{{- if eq $pool.role "api" }}
{{- include "celery-app.service" $one }}
{{- include "celery-app.ingress" $one }}
{{- include "celery-app.route" $one }}
{{- end }}
{{- end }}
{{- end }}

{{- /* One object of the kind that a pool's role and wish ask for. */}}
{{- define "celery-app.workload" -}}
{{- if eq .pool.role "beat" }}
{{- include "celery-app.beat" . }}
{{- else if eq .pool.kind "StatefulSet" }}
{{- include "celery-app.statefulset" . }}
{{- else }}
{{- include "celery-app.deployment" . }}
{{- end }}
{{- end }}
