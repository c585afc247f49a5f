{{- /*
How many pods a pool has, by the CPU they use (HorizontalPodAutoscaler) or by its queues (KEDA).

Queues are counted with what workers hold unacknowledged, else a pool that has taken everything looks idle. Where a pool says how long
a message may wait, KEDA also divides the queue by the rate at which it is emptied, and the larger of the two answers counts. Down goes one pod a
minute, and only after as long as a task may run; when the broker cannot be asked, nothing is taken away.
*/}}
{{- define "celery-app.autoscaling" }}
{{- if eq .pool.autoscaling.by "cpu" }}
{{- include "celery-app.hpa" . }}
{{- else if eq .pool.autoscaling.by "queue" }}
{{- include "celery-app.scaledobject" . }}
{{- end }}
{{- end }}

{{- define "celery-app.behavior" -}}
scaleDown:
  stabilizationWindowSeconds: {{ int .pool.autoscaling.scaleDownSeconds }}
  policies:
    - type: Pods
      value: 1
      periodSeconds: 60
scaleUp:
  stabilizationWindowSeconds: 0
  policies:
    - type: Percent
      value: 100
      periodSeconds: 15
    - type: Pods
      value: 2
      periodSeconds: 15
{{- end }}

{{- define "celery-app.hpa" }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    apiVersion: apps/v1
    kind: {{ .pool.kind }}
    name: {{ include "celery-app.name" . }}
  minReplicas: {{ int .pool.autoscaling.minReplicas }}
  maxReplicas: {{ int .pool.autoscaling.maxReplicas }}
  behavior:
    {{- include "celery-app.behavior" . | nindent 4 }}
  metrics:
    - type: Resource
      resource:
        name: cpu
        target:
          type: Utilization
          averageUtilization: {{ int .pool.autoscaling.cpuPercent }}
    {{- with .pool.autoscaling.memoryPercent }}
    - type: Resource
      resource:
        name: memory
        target:
          type: Utilization
          averageUtilization: {{ int . }}
    {{- end }}
    {{- with .pool.autoscaling.metrics }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- define "celery-app.scaledobject" }}
---
apiVersion: keda.sh/v1alpha1
kind: ScaledObject
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
spec:
  scaleTargetRef:
    kind: {{ .pool.kind }}
    name: {{ include "celery-app.name" . }}
  pollingInterval: {{ int .pool.autoscaling.pollingSeconds }}
  minReplicaCount: {{ int .pool.autoscaling.minReplicas }}
  maxReplicaCount: {{ int .pool.autoscaling.maxReplicas }}
  fallback:
    failureThreshold: 3
    replicas: {{ max 1 (int .pool.autoscaling.minReplicas) }}
    behavior: currentReplicasIfHigher
  advanced:
    horizontalPodAutoscalerConfig:
      behavior:
        {{- include "celery-app.behavior" . | nindent 8 }}
  triggers:
    {{- range .pool.queues }}
    {{- if eq $.root.Values.broker "redis" }}
    - type: redis
      metadata:
        listName: {{ . }}
        listLength: {{ int $.pool.autoscaling.messagesPerReplica | quote }}
    {{- else }}
    - type: rabbitmq
      metadata:
        protocol: http
        queueName: {{ . }}
        mode: QueueLength
        value: {{ int $.pool.autoscaling.messagesPerReplica | quote }}
        excludeUnacknowledged: "false"
    {{- end }}
      authenticationRef:
        name: {{ include "celery-app.fullname" $.root }}-scaler
    {{- if $.pool.autoscaling.waitSeconds }}
    # A time is not shared among the pods, as messages are: it is compared as it is.
    - type: rabbitmq
      metricType: Value
      metadata:
        protocol: http
        queueName: {{ . }}
        mode: ExpectedQueueConsumptionTime
        value: {{ int $.pool.autoscaling.waitSeconds | quote }}
      authenticationRef:
        name: {{ include "celery-app.fullname" $.root }}-scaler
    {{- end }}
    {{- end }}
    {{- with .pool.autoscaling.triggers }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
{{- end }}

{{- /* How KEDA reaches the broker: by a secret of its own, which the pods never see. */}}
{{- define "celery-app.scalerauth" }}
{{- $asked := false }}
{{- range $name := keys .Values.pools }}
{{- $pool := include "celery-app.pool" (dict "root" $ "name" $name) | fromYaml }}
{{- $asked = or $asked (eq $pool.autoscaling.by "queue") }}
{{- end }}
{{- if $asked }}
---
apiVersion: keda.sh/v1alpha1
kind: TriggerAuthentication
metadata:
  name: {{ include "celery-app.fullname" . }}-scaler
  labels:
    {{- include "celery-app.whole" (dict "root" . "name" "scaler") | nindent 4 }}
spec:
  secretTargetRef:
    {{- range ternary (list "address" "password") (list "host") (eq .Values.broker "redis") }}
    - parameter: {{ . }}
      name: {{ $.Values.scaler.existingSecret }}
      key: {{ . }}
    {{- end }}
{{- end }}
{{- end }}
