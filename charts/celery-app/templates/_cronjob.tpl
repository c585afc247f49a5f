{{- /* A command of the image at fixed times (`cronJobs`): for what is not a task, such as a report that a person reads. */}}
{{- define "celery-app.cronjobs" }}
{{- range $name, $job := .Values.cronJobs }}
{{- if $job }}
{{- $one := dict "root" $ "name" $name "track" "stable" "pool" (mustMergeOverwrite (mustDeepCopy $.Values.defaults) (dict "role" "job")) }}
---
apiVersion: batch/v1
kind: CronJob
metadata:
  name: {{ include "celery-app.name" $one }}
  labels:
    {{- include "celery-app.labels" $one | nindent 4 }}
spec:
  schedule: {{ $job.schedule | quote }}
  timeZone: {{ $job.timeZone | default "Etc/UTC" }}
  # A run that is late by more is left out, and one that has not ended keeps the next from starting.
  startingDeadlineSeconds: 300
  concurrencyPolicy: Forbid
  jobTemplate:
    spec:
      backoffLimit: {{ int ($job.retries | default 0) }}
      activeDeadlineSeconds: {{ int ($job.deadlineSeconds | default 3600) }}
      template:
        metadata:
          labels:
            {{- include "celery-app.labels" $one | nindent 12 }}
        spec:
          restartPolicy: Never
          serviceAccountName: {{ $.Values.serviceAccount.name | default (include "celery-app.fullname" $) }}
          automountServiceAccountToken: false
          enableServiceLinks: false
          securityContext:
            {{- include "celery-app.podsecurity" $one | nindent 12 }}
          {{- include "celery-app.pullsecrets" $ | nindent 10 }}
          {{- include "celery-app.nodes" $one | nindent 10 }}
          containers:
            - name: job
              image: {{ include "celery-app.image" $one }}
              imagePullPolicy: {{ $.Values.image.pullPolicy }}
              command: {{ $job.command | toJson }}
              {{- include "celery-app.envfrom" $one | nindent 14 }}
              env:
                {{- include "celery-app.env.shared" $one | nindent 16 }}
              resources:
                {{- include "celery-app.cronjob.resources" (list $.Values.defaults.resources $job.resources) | nindent 16 }}
              securityContext:
                {{- include "celery-app.security" $one | nindent 16 }}
              volumeMounts:
                {{- include "celery-app.mounts" $one | nindent 16 }}
          volumes:
            {{- include "celery-app.volumes" $one | nindent 12 }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What the job says, or what a pool has by default; the disk is that of a pool unless the job says otherwise. */}}
{{- define "celery-app.cronjob.resources" -}}
{{- $shared := index . 0 }}
{{- $requests := pick ($shared.requests | default dict) "ephemeral-storage" }}
{{- $limits := pick ($shared.limits | default dict) "ephemeral-storage" }}
{{- mustMergeOverwrite (dict "requests" $requests "limits" $limits) (index . 1 | default $shared | mustDeepCopy) | toYaml }}
{{- end }}
