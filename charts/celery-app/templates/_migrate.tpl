{{- /*
Brings the schema to where the image needs it, before any pod of the release changes, and refuses the release when that fails.

It needs nothing that the release makes: no ConfigMap, no ServiceAccount. The same command runs ahead of every pod that
reads the database, for manifests that are applied without Helm; at head it does nothing, and an advisory lock lets one in at a time.
*/}}
{{- define "celery-app.migrate" }}
{{- if .Values.migration.enabled }}
{{- $one := dict "root" . "name" "migrate" "track" "stable" "pool" dict }}
{{- $container := include "celery-app.migration" $one }}
---
apiVersion: batch/v1
kind: Job
metadata:
  # A Job cannot be changed, so another image or secret is another Job.
  name: {{ .Release.Name }}-migrate-{{ list $container .Values.secretChecksum (toJson .Values.caBundle) | join "\n" | sha256sum | trunc 10 }}
  labels:
    {{- include "celery-app.labels" $one | nindent 4 }}
  annotations:
    helm.sh/hook: pre-install,pre-upgrade
    helm.sh/hook-delete-policy: before-hook-creation
spec:
  backoffLimit: 6
  activeDeadlineSeconds: {{ int .Values.migration.deadlineSeconds }}
  ttlSecondsAfterFinished: 3600
  template:
    metadata:
      labels:
        {{- include "celery-app.labels" $one | nindent 8 }}
    spec:
      restartPolicy: Never
      automountServiceAccountToken: false
      enableServiceLinks: false
      securityContext:
        {{- include "celery-app.podsecurity" $one | nindent 8 }}
      {{- include "celery-app.pullsecrets" . | nindent 6 }}
      containers:
        - name: schema
          {{- $container | nindent 10 }}
      volumes:
        {{- include "celery-app.volumes" $one | nindent 8 }}
{{- end }}
{{- end }}

{{- define "celery-app.migration" -}}
image: {{ include "celery-app.image" . }}
imagePullPolicy: {{ .root.Values.image.pullPolicy }}
command: [python, -m, chassis.migrate, {{ .root.Values.app }}]
envFrom:
  - secretRef:
      name: {{ .root.Values.existingSecret }}
env:
  {{- include "celery-app.env.shared" . | nindent 2 }}
resources:
  {{- toYaml .root.Values.migration.resources | nindent 2 }}
securityContext:
  {{- include "celery-app.security" . | nindent 2 }}
volumeMounts:
  {{- include "celery-app.mounts" . | nindent 2 }}
{{- end }}
