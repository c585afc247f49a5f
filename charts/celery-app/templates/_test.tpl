{{- /* What `helm test` runs (`test`): a command that shows that the release does its work. Its pod is removed when it succeeds. */}}
{{- define "celery-app.test" }}
{{- with .Values.test }}
{{- if .command }}
{{- $one := dict "root" $ "name" "test" "track" "stable" "pool" (mustMergeOverwrite (mustDeepCopy $.Values.defaults) (dict "role" "job")) }}
---
apiVersion: v1
kind: Pod
metadata:
  name: {{ include "celery-app.fullname" $ }}-test
  # None of the release's labels: no Service, policy or budget of its pools takes this pod for one of them.
  labels:
    app.kubernetes.io/component: test
    {{- with .podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
    {{- with $.Values.partOf }}
    app.kubernetes.io/part-of: {{ . }}
    {{- end }}
  annotations:
    helm.sh/hook: test
    helm.sh/hook-delete-policy: before-hook-creation,hook-succeeded
spec:
  restartPolicy: Never
  activeDeadlineSeconds: {{ int .deadlineSeconds }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  securityContext:
    {{- include "celery-app.podsecurity" $one | nindent 4 }}
  {{- include "celery-app.pullsecrets" $ | nindent 2 }}
  {{- include "celery-app.nodes" $one | nindent 2 }}
  containers:
    - name: test
      image: {{ .image.repository | default $.Values.image.repository }}:{{ .image.tag | default $.Values.image.tag }}
      imagePullPolicy: {{ $.Values.image.pullPolicy }}
      command: {{ toJson .command }}
      {{- with .existingSecret }}
      envFrom:
        - secretRef:
            name: {{ . }}
      {{- end }}
      resources:
        {{- toYaml .resources | nindent 8 }}
      securityContext:
        {{- include "celery-app.security" $one | nindent 8 }}
      volumeMounts:
        {{- include "celery-app.mounts" $one | nindent 8 }}
  volumes:
    {{- include "celery-app.volumes" $one | nindent 4 }}
{{- end }}
{{- end }}
{{- end }}
