{{- /* The pod of a pool. Takes {root, name, pool, track}. */}}
{{- define "celery-app.pod" -}}
metadata:
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
    track: {{ .track }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ .pool.role }}
    checksum/config: {{ include "celery-app.environment" .root | sha256sum }}
    {{- with .root.Values.secretChecksum }}
    checksum/secret: {{ . | quote }}
    {{- end }}
    {{- include "celery-app.scrape" . | nindent 4 }}
spec:
  serviceAccountName: {{ .root.Release.Name }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int .pool.graceSeconds }}
  securityContext:
    {{- include "celery-app.podsecurity" . | nindent 4 }}
  {{- include "celery-app.placement" . | nindent 2 }}
  {{- include "celery-app.pullsecrets" .root | nindent 2 }}
  {{- if and .root.Values.migration.enabled (ne .pool.role "beat") }}
  initContainers:
    - name: schema
      {{- include "celery-app.migration" . | nindent 6 }}
  {{- end }}
  containers:
    - name: {{ .pool.role }}
      image: {{ include "celery-app.image" . }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command:
        {{- include "celery-app.command" . | nindent 8 }}
      envFrom:
        - configMapRef:
            name: {{ .root.Release.Name }}-settings
        - secretRef:
            name: {{ .root.Values.existingSecret }}
      env:
        {{- include "celery-app.env" . | nindent 8 }}
      {{- include "celery-app.ports" . | nindent 6 }}
      {{- include "celery-app.probes" . | nindent 6 }}
      {{- if and .pool.preStopSeconds (ne .pool.role "api") }}
      lifecycle:
        preStop:
          sleep:
            seconds: {{ int .pool.preStopSeconds }}
      {{- end }}
      resources:
        {{- toYaml .pool.resources | nindent 8 }}
      securityContext:
        {{- include "celery-app.security" . | nindent 8 }}
      volumeMounts:
        {{- include "celery-app.mounts" . | nindent 8 }}
  volumes:
    {{- include "celery-app.volumes" . | nindent 4 }}
{{- end }}

{{- define "celery-app.ports" -}}
ports:
  - name: {{ include "celery-app.port" . }}
    containerPort: {{ ternary 8000 9100 (eq .pool.role "api") }}
{{- end }}

{{- /* The name of the port that answers probes: where the API serves, and where workers answer Prometheus as well. */}}
{{- define "celery-app.port" -}}
{{ get (dict "api" "http" "worker" "metrics") .pool.role | default "health" }}
{{- end }}

{{- define "celery-app.pullsecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- range $name, $used := . }}
  {{- if $used }}
  - name: {{ $name }}
  {{- end }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Where the pods of a pool may run: apart from each other, as far as there are nodes. */}}
{{- define "celery-app.placement" -}}
topologySpreadConstraints:
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "celery-app.selector" . | nindent 8 }}
{{- include "celery-app.nodes" . }}
{{- with .pool.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The nodes that a pod may run on, and what it may push aside there. */}}
{{- define "celery-app.nodes" }}
{{- with .pool.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .pool.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pool.tolerations }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
