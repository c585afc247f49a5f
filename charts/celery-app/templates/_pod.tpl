{{- /* The pod of a pool. Takes {root, name, pool, track}. */}}
{{- define "celery-app.pod" -}}
metadata:
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
    track: {{ .track }}
    {{- with .pool.podLabels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  annotations:
    kubectl.kubernetes.io/default-container: {{ .pool.role }}
    checksum/config: {{ include "celery-app.environment" .root | sha256sum }}
    {{- if eq .root.Values.runtime "celery" }}
    checksum/runtime: {{ include "celery-app.run_celery" .root | sha256sum }}
    {{- end }}
    {{- with .root.Values.secretChecksum }}
    checksum/secret: {{ . | quote }}
    {{- end }}
    {{- include "celery-app.scrape" . | nindent 4 }}
    {{- with .pool.podAnnotations }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
  serviceAccountName: {{ .root.Values.serviceAccount.name | default (include "celery-app.fullname" .root) }}
  automountServiceAccountToken: false
  enableServiceLinks: false
  terminationGracePeriodSeconds: {{ int .pool.graceSeconds }}
  securityContext:
    {{- include "celery-app.podsecurity" . | nindent 4 }}
  {{- include "celery-app.placement" . | nindent 2 }}
  {{- include "celery-app.network" . | nindent 2 }}
  {{- include "celery-app.pullsecrets" .root | nindent 2 }}
  {{- $migrates := and (include "celery-app.migrates" .root) (ne .pool.role "beat") (ne (toString .pool.needsSchema) "false") }}
  {{- if or $migrates .pool.extraInitContainers }}
  initContainers:
    {{- if $migrates }}
    - name: schema
      {{- include "celery-app.migration" . | nindent 6 }}
    {{- end }}
    {{- with .pool.extraInitContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  {{- end }}
  containers:
    - name: {{ .pool.role }}
      image: {{ include "celery-app.image" . }}
      imagePullPolicy: {{ .root.Values.image.pullPolicy }}
      command:
        {{- include "celery-app.command" . | nindent 8 }}
      {{- include "celery-app.envfrom" . | nindent 6 }}
      env:
        {{- include "celery-app.env" . | nindent 8 }}
        {{- with .pool.extraEnv }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
      {{- include "celery-app.ports" . | nindent 6 }}
      {{- include "celery-app.probes" . | nindent 6 }}
      {{- include "celery-app.lifecycle" . | nindent 6 }}
      resources:
        {{- toYaml .pool.resources | nindent 8 }}
      securityContext:
        {{- include "celery-app.security" . | nindent 8 }}
      volumeMounts:
        {{- include "celery-app.mounts" . | nindent 8 }}
        {{- with .pool.extraVolumeMounts }}
        {{- toYaml . | nindent 8 }}
        {{- end }}
    {{- with .pool.extraContainers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
  volumes:
    {{- include "celery-app.volumes" . | nindent 4 }}
    {{- with .pool.extraVolumes }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "celery-app.ports" -}}
ports:
  {{- if eq .pool.role "api" }}
  - name: http
    containerPort: 8000
  {{- end }}
  - name: metrics
    containerPort: 9100
  {{- range $name, $it := .pool.ports }}
  - name: {{ $name }}
    containerPort: {{ int $it.port }}
  {{- end }}
{{- end }}

{{- /* The name of the port that answers probes: where the API serves, and where all others answer Prometheus as well. */}}
{{- define "celery-app.port" -}}
{{ ternary "http" "metrics" (eq .pool.role "api") }}
{{- end }}

{{- /* Settings first and secrets after them, so that a secret's value counts where both have a name; what a pool adds counts most. */}}
{{- define "celery-app.envfrom" -}}
envFrom:
  - configMapRef:
      name: {{ include "celery-app.fullname" .root }}-settings
  {{- include "celery-app.secrets" .root | nindent 2 }}
  {{- with .pool.extraEnvFrom }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}

{{- define "celery-app.secrets" }}
{{- range prepend .Values.extraSecrets .Values.existingSecret }}
{{- if . }}
- secretRef:
    name: {{ . }}
{{- end }}
{{- end }}
{{- end }}

{{- define "celery-app.lifecycle" -}}
{{- if .pool.lifecycle -}}
lifecycle:
  {{- toYaml .pool.lifecycle | nindent 2 }}
{{- else if and .pool.preStopSeconds (ne .pool.role "api") -}}
lifecycle:
  preStop:
    sleep:
      seconds: {{ int .pool.preStopSeconds }}
{{- end }}
{{- end }}

{{- /* `{name: true}`, which overlays can change by name, or the usual list of {name}. */}}
{{- define "celery-app.pullsecrets" -}}
{{- with .Values.imagePullSecrets -}}
imagePullSecrets:
  {{- if kindIs "map" . }}
  {{- range $name, $used := . }}
  {{- if $used }}
  - name: {{ $name }}
  {{- end }}
  {{- end }}
  {{- else }}
  {{- toYaml . | nindent 2 }}
  {{- end }}
{{- end }}
{{- end }}

{{- /* Where the pods of a pool may run: apart from each other, as far as there are nodes, unless the pool says otherwise. */}}
{{- define "celery-app.placement" -}}
topologySpreadConstraints:
  {{- if .pool.topologySpreadConstraints }}
  {{- toYaml .pool.topologySpreadConstraints | nindent 2 }}
  {{- else }}
  - maxSkew: 1
    topologyKey: kubernetes.io/hostname
    whenUnsatisfiable: ScheduleAnyway
    labelSelector:
      matchLabels:
        {{- include "celery-app.selector" . | nindent 8 }}
  {{- end }}
{{- include "celery-app.nodes" . }}
{{- with .pool.affinity }}
affinity:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /* The nodes that a pod may run on, how it runs there, and what it may push aside. */}}
{{- define "celery-app.nodes" }}
{{- with .pool.priorityClassName }}
priorityClassName: {{ . }}
{{- end }}
{{- with .pool.runtimeClassName }}
runtimeClassName: {{ . }}
{{- end }}
{{- with .pool.schedulerName }}
schedulerName: {{ . }}
{{- end }}
{{- with .pool.nodeSelector }}
nodeSelector:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with include "celery-app.tolerations" . | fromYamlArray }}
tolerations:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}

{{- /*
What the pods tolerate, as a list. A pod that nothing ties to its node is replaced soon after the node is out of reach, not after
Kubernetes' 300 s. A StatefulSet makes no other pod before the node is back or somebody says that it is gone.
*/}}
{{- define "celery-app.tolerations" -}}
{{- $all := .pool.tolerations | default list }}
{{- if ne .pool.kind "StatefulSet" }}
{{- range $taint := list "node.kubernetes.io/not-ready" "node.kubernetes.io/unreachable" }}
{{- $own := false }}
{{- range $.pool.tolerations }}
{{- if eq (.key | default $taint) $taint }}{{ $own = true }}{{ end }}
{{- end }}
{{- if not $own }}
{{- $all = append $all (dict "key" $taint "operator" "Exists" "effect" "NoExecute" "tolerationSeconds" (int $.pool.unreachableTolerationSeconds)) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml $all }}
{{- end }}

{{- /* How the pods find names. */}}
{{- define "celery-app.network" -}}
{{- with .pool.hostAliases }}
hostAliases:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- with .pool.dnsPolicy }}
dnsPolicy: {{ . }}
{{- end }}
{{- with .pool.dnsConfig }}
dnsConfig:
  {{- toYaml . | nindent 2 }}
{{- end }}
{{- end }}
