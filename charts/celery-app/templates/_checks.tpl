{{- /* Refuses what cannot run, with the numbers. The laptop runtime (conductor/pools.py) says the same in the same words. */}}
{{- define "celery-app.checks" -}}
{{- include "celery-app.checks.maps" . }}
{{- $redis := eq .Values.broker "redis" }}
{{- range $name := keys .Values.pools | sortAlpha }}
{{- $pool := include "celery-app.pool" (dict "root" $ "name" $name) | fromYaml }}
{{- $at := printf "pools.%s" $name }}
{{- if eq $pool.role "worker" }}
{{- include "celery-app.checks.worker" (dict "pool" $pool "at" $at) }}
{{- $visible := $.Values.settings.visibilityTimeoutSeconds | default 0 | int }}
{{- if and $redis (le $visible (int $pool.timeLimitSeconds)) }}
{{- fail (printf "%s: settings.visibilityTimeoutSeconds %d must be more than timeLimitSeconds %d, or Redis delivers a running task again" $at $visible (int $pool.timeLimitSeconds)) }}
{{- end }}
{{- end }}
{{- include "celery-app.checks.names" (dict "root" $ "name" $name "pool" $pool "at" $at) }}
{{- include "celery-app.checks.resources" (dict "pool" $pool "at" $at) }}
{{- if lt (int $pool.startupSeconds) 10 }}
{{- fail (printf "%s: startupSeconds %d is less than 10: a process that starts on a busy node would be killed for ever" $at (int $pool.startupSeconds)) }}
{{- end }}
{{- if lt (int $pool.graceSeconds) (add (int $pool.preStopSeconds) (int $pool.drainSeconds) | int) }}
{{- fail (printf "%s: graceSeconds %d is less than preStopSeconds %d + drainSeconds %d" $at (int $pool.graceSeconds) (int $pool.preStopSeconds) (int $pool.drainSeconds)) }}
{{- end }}
{{- if eq $pool.role "beat" }}
{{- if gt (int $pool.replicas) 1 }}
{{- fail (printf "%s: replicas %d: more than one beat doubles every periodic task" $at (int $pool.replicas)) }}
{{- end }}
{{- range $key := list "canary" "autoscaling" }}
{{- $own := index $.Values.pools $name | default dict }}
{{- if index $own $key }}
{{- fail (printf "%s: %s: more than one beat doubles every periodic task" $at $key) }}
{{- end }}
{{- end }}
{{- end }}
{{- include "celery-app.checks.autoscaling" (dict "pool" $pool "at" $at "underWay" $.Values.settings.relayMessages "redis" $redis) }}
{{- end }}
{{- include "celery-app.checks.release" . }}
{{- end }}

{{- define "celery-app.checks.worker" -}}
{{- $pool := .pool }}
{{- if not $pool.queues }}
{{- fail (printf "%s: queues is missing: a worker consumes what it names, never a default queue" .at) }}
{{- end }}
{{- if not $pool.concurrency }}
{{- fail (printf "%s: concurrency is missing: the number of cores of the machine is no default" .at) }}
{{- end }}
{{- if and (eq $pool.poolType "solo") (ne (int $pool.concurrency) 1) }}
{{- fail (printf "%s: concurrency %d with poolType solo: it runs one task at a time" .at (int $pool.concurrency)) }}
{{- end }}
{{- if not $pool.timeLimitSeconds }}
{{- fail (printf "%s: timeLimitSeconds is missing: a task without a limit holds its child for ever" .at) }}
{{- end }}
{{- if or (not $pool.softTimeLimitSeconds) (ge (int $pool.softTimeLimitSeconds) (int $pool.timeLimitSeconds)) }}
{{- fail (printf "%s: softTimeLimitSeconds %s must be less than timeLimitSeconds %d" .at (include "celery-app.plain" $pool.softTimeLimitSeconds) (int $pool.timeLimitSeconds)) }}
{{- end }}
{{- if lt (int $pool.drainSeconds) (add (int $pool.timeLimitSeconds) 5 | int) }}
{{- fail (printf "%s: drainSeconds %d is less than timeLimitSeconds %d + 5 to record the outcome" .at (int $pool.drainSeconds) (int $pool.timeLimitSeconds)) }}
{{- end }}
{{- end }}

{{- define "celery-app.checks.autoscaling" -}}
{{- $scaling := .pool.autoscaling | default dict }}
{{- if ne $scaling.by "none" }}
{{- if not (or (int $scaling.minReplicas) (and $scaling.mayScaleToZero (eq $scaling.by "queue"))) }}
{{- fail (printf "%s.autoscaling: minReplicas 0: only by queue, and where the pool says mayScaleToZero: true" .at) }}
{{- end }}
{{- if gt (int $scaling.minReplicas) (int $scaling.maxReplicas) }}
{{- fail (printf "%s.autoscaling: minReplicas %d is more than maxReplicas %d" .at (int $scaling.minReplicas) (int $scaling.maxReplicas)) }}
{{- end }}
{{- if has .pool.role (list "beat" "relay") }}
{{- fail (printf "%s.autoscaling: by %s: a %s is never scaled; where defaults.autoscaling says it, the pool says by: none" .at $scaling.by .pool.role) }}
{{- end }}
{{- if and (eq $scaling.by "queue") (ne .pool.role "worker") }}
{{- fail (printf "%s.autoscaling: by queue: only a worker has queues" .at) }}
{{- end }}
{{- if and .redis $scaling.waitSeconds }}
{{- fail (printf "%s.autoscaling: waitSeconds %d: Redis cannot be asked how fast a queue is emptied" .at (int $scaling.waitSeconds)) }}
{{- end }}
{{- $needed := mul (int $scaling.messagesPerReplica) (sub (int $scaling.maxReplicas) 1) }}
{{- if and (eq $scaling.by "queue") .underWay (le (int .underWay) (int $needed)) }}
{{- fail (printf "%s.autoscaling: maxReplicas %d needs more than %d messages in a queue, settings.relayMessages lets %d be there" .at (int $scaling.maxReplicas) (int $needed) (int .underWay)) }}
{{- end }}
{{- if and (eq .pool.role "worker") (lt (int $scaling.scaleDownSeconds) (int .pool.timeLimitSeconds)) }}
{{- fail (printf "%s.autoscaling: scaleDownSeconds %d is less than timeLimitSeconds %d: it would go down faster than the work" .at (int $scaling.scaleDownSeconds) (int .pool.timeLimitSeconds)) }}
{{- end }}
{{- end }}
{{- end }}
