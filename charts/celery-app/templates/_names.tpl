{{- /* Names, labels and the pool with its defaults. Most take {root, name, pool, track}. */}}

{{- /* The pool as YAML: what it says over what `defaults` says, maps merged key by key. Takes {root, name}. */}}
{{- define "celery-app.pool" -}}
{{- $own := index .root.Values.pools .name | default dict }}
{{- mustMergeOverwrite (deepCopy .root.Values.defaults) (deepCopy $own) | toYaml }}
{{- end }}

{{- /* What the names of all objects begin with. */}}
{{- define "celery-app.fullname" -}}
{{ .Values.fullnameOverride | default .Release.Name }}
{{- end }}

{{- /* What the pods of the whole release have in common. */}}
{{- define "celery-app.application" -}}
app.kubernetes.io/name: {{ .Values.nameOverride | default .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "celery-app.name" -}}
{{ include "celery-app.fullname" .root }}-{{ .name }}{{ if eq .track "canary" }}-canary{{ end }}
{{- end }}

{{- /* What the selectors of a pool's own objects match; never to change, since a Deployment's selector cannot. */}}
{{- define "celery-app.selector" -}}
{{ include "celery-app.application" .root }}
app.kubernetes.io/component: {{ .name }}
{{- end }}

{{- /* The labels of an object of a pool. The version is the image's, so a chart that changes rolls no pod by its label. */}}
{{- define "celery-app.labels" -}}
{{ include "celery-app.selector" . }}
{{- with .root.Values.partOf }}
app.kubernetes.io/part-of: {{ . }}
{{- end }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
app.kubernetes.io/version: {{ include "celery-app.tag" . | splitList "@" | first | trunc 63 | trimAll "-_." | quote }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end }}

{{- /* Who only sends work may be held at another version while the workers are rolled. */}}
{{- define "celery-app.tag" -}}
{{- $held := .root.Values.image.producersTag }}
{{- if eq .track "canary" }}{{ .pool.canary.tag }}{{ else if and $held (has .pool.role (list "api" "relay" "beat")) }}{{ $held }}{{ else }}{{ (.pool.image | default dict).tag | default .root.Values.image.tag }}{{ end }}
{{- end }}

{{- define "celery-app.image" -}}
{{ (.pool.image | default dict).repository | default .root.Values.image.repository }}:{{ include "celery-app.tag" . }}
{{- end }}

{{- /* A {root, name, track} for objects of the whole release; takes {root, name}. */}}
{{- define "celery-app.whole" -}}
{{- include "celery-app.labels" (dict "root" .root "name" .name "track" "stable" "pool" dict) }}
{{- end }}

{{- /* A value as an environment variable holds it: numbers as they were written, never 1e+06. */}}
{{- define "celery-app.plain" -}}
{{- if kindIs "string" . }}{{ . }}{{ else }}{{ toJson . }}{{ end }}
{{- end }}
