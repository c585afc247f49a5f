{{- /*
Brings the schema to where the image needs it, before any pod of the release changes, and refuses the release when that fails.

It needs nothing that the release makes: no ConfigMap, no ServiceAccount. The same command runs ahead of every pod that
reads the database, for manifests that are applied without Helm; at head it does nothing, and an advisory lock lets one in at a time.
*/}}
{{- define "celery-app.migrate" }}
{{- if include "celery-app.migrates" . }}
{{- $one := dict "root" . "name" "migrate" "track" "stable" "pool" .Values.defaults }}
{{- $pod := include "celery-app.migrate.pod" $one }}
---
apiVersion: batch/v1
kind: Job
metadata:
  # A Job cannot be changed, so another image or secret is another Job.
  name: {{ include "celery-app.fullname" . }}-migrate-{{ $pod | sha256sum | trunc 10 }}
  labels:
    {{- include "celery-app.labels" $one | nindent 4 }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    # Gone with the deploy that made it, also when that is given up; Helm 4 prints what a failed one said.
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded,hook-failed
    helm.sh/hook-output-log-policy: hook-failed
spec:
  backoffLimit: 6
  activeDeadlineSeconds: {{ int .Values.migration.deadlineSeconds }}
  ttlSecondsAfterFinished: 3600
  template:
    {{- $pod | nindent 4 }}
{{- end }}
{{- end }}

{{- define "celery-app.migrate.pod" -}}
metadata:
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
  {{- with .root.Values.secretChecksum }}
  annotations:
    checksum/secret: {{ . | quote }}
  {{- end }}
spec:
  restartPolicy: Never
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "celery-app.podsecurity" . | nindent 4 }}
  {{- include "celery-app.pullsecrets" .root | nindent 2 }}
  {{- include "celery-app.nodes" . | nindent 2 }}
  containers:
    - name: schema
      {{- include "celery-app.migration" . | nindent 6 }}
  volumes:
    {{- include "celery-app.volumes" . | nindent 4 }}
{{- end }}

{{- define "celery-app.migration" -}}
image: {{ include "celery-app.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
{{- if .root.Values.migration.command }}
command: {{ toJson .root.Values.migration.command }}
{{- else }}
command: [python, -m, chassis.migrate, {{ .root.Values.app }}]
{{- end }}
envFrom:
  {{- include "celery-app.secrets" .root | nindent 2 }}
env:
  {{- include "celery-app.env.shared" . | nindent 2 }}
resources:
  {{- toYaml .root.Values.migration.resources | nindent 2 }}
securityContext:
  {{- include "celery-app.security" . | nindent 2 }}
volumeMounts:
  {{- include "celery-app.mounts" . | nindent 2 }}
{{- end }}

{{- /* Whether there is a migration: Celery alone has none, unless the values name its command. */}}
{{- define "celery-app.migrates" -}}
{{- if and .Values.migration.enabled (or .Values.migration.command (eq .Values.runtime "chassis")) }}yes{{ end }}
{{- end }}
