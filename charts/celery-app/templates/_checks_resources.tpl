{{- /* Refuses requests and limits that no pod can live with. */}}

{{- /* A quantity of bytes as a whole number of KiB, and one of cores in thousandths; 0 for none. */}}
{{- define "celery-app.kib" -}}
{{- $units := dict "" 1 "m" 0.001 "k" 1e3 "M" 1e6 "G" 1e9 "T" 1e12 "P" 1e15 "Ki" 1024 "Mi" 1048576 "Gi" 1073741824 "Ti" 1099511627776 "Pi" 1125899906842624 }}
{{- $text := include "celery-app.plain" (default "0" .) }}
{{- divf (mulf (regexFind "^[0-9.]+" $text | float64) (get $units (regexFind "[A-Za-z]*$" $text))) 1024 | floor | int64 }}
{{- end }}

{{- define "celery-app.millicores" -}}
{{- $text := include "celery-app.plain" (default "0" .) }}
{{- mulf (regexFind "^[0-9.]+" $text | float64) (ternary 1 1000 (hasSuffix "m" $text)) | floor | int64 }}
{{- end }}

{{- define "celery-app.checks.resources" -}}
{{- $requests := .pool.resources.requests | default dict }}
{{- $limits := .pool.resources.limits | default dict }}
{{- range $kind, $amounts := dict "requests" $requests "limits" $limits }}
{{- if and $amounts.memory (lt (include "celery-app.kib" $amounts.memory | int64) 16384) }}
{{- fail (printf "%s.resources: %s.memory %v is less than 16Mi, in which no interpreter starts; a number without a unit is bytes" $.at $kind $amounts.memory) }}
{{- end }}
{{- end }}
{{- $disk := index $limits "ephemeral-storage" }}
{{- if and $disk (lt (include "celery-app.kib" $disk | int64) 262144) }}
{{- fail (printf "%s.resources: limits.ephemeral-storage %v is less than the 256Mi that /tmp may hold: the pod is evicted before a write fails; a number without a unit is bytes" $.at $disk) }}
{{- end }}
{{- range $what := list "memory" "ephemeral-storage" "cpu" }}
{{- $measure := ternary "celery-app.millicores" "celery-app.kib" (eq $what "cpu") }}
{{- $asked := include $measure (index $requests $what) | int64 }}
{{- $allowed := include $measure (index $limits $what) | int64 }}
{{- if and $allowed (gt $asked $allowed) }}
{{- fail (printf "%s.resources: requests.%s %v is more than limits.%s %v" $.at $what (index $requests $what) $what (index $limits $what)) }}
{{- end }}
{{- end }}
{{- if and (eq .pool.autoscaling.by "cpu") (not $requests.cpu) }}
{{- fail (printf "%s.autoscaling: by cpu: resources.requests.cpu is missing, of which cpuPercent is a share" .at) }}
{{- end }}
{{- $limit := include "celery-app.kib" $limits.memory | int64 }}
{{- if and (eq .pool.role "worker") $limit }}
{{- if lt $limit (mul 16384 (int .pool.concurrency) | int64) }}
{{- fail (printf "%s: concurrency %d with limits.memory %v leaves each less than 16Mi" .at (int .pool.concurrency) $limits.memory) }}
{{- end }}
{{- with .pool.maxMemoryPerChildKib }}
{{- if gt (mul (int $.pool.concurrency) (int .) | int64) $limit }}
{{- fail (printf "%s: concurrency %d times maxMemoryPerChildKib %d is more than limits.memory %v: the pod is killed before a child is replaced" $.at (int $.pool.concurrency) (int .) $limits.memory) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
