{{- /* Refuses what cannot work in the values as a whole: which pools there are, who consumes which queue, what objects would be called. */}}
{{- define "celery-app.checks.release" -}}
{{- range $path, $value := dict "app" .Values.app "image.repository" .Values.image.repository "image.tag" .Values.image.tag "pools" .Values.pools }}
{{- if not $value }}
{{- fail (printf "%s is missing" $path) }}
{{- end }}
{{- end }}
{{- include "celery-app.checks.roles" . }}
{{- include "celery-app.checks.runtime" . }}
{{- include "celery-app.checks.queues" . }}
{{- include "celery-app.checks.settings" . }}
{{- include "celery-app.checks.peers" . }}
{{- end }}

{{- /* A pool of each role that the application needs, and one beat. */}}
{{- define "celery-app.checks.roles" -}}
{{- $roles := dict }}
{{- range $name := keys .Values.pools | sortAlpha }}
{{- $role := (index $.Values.pools $name).role }}
{{- if and (eq $role "beat") (hasKey $roles "beat") }}
{{- fail (printf "pools.%s: a second beat beside pools.%s doubles every periodic task" $name (get $roles "beat")) }}
{{- end }}
{{- $_ := set $roles $role $name }}
{{- end }}
{{- range .Values.requiredRoles }}
{{- if not (hasKey $roles .) }}
{{- fail (printf "pools: none has the role %s, which requiredRoles asks for" .) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* What only the chassis has. */}}
{{- define "celery-app.checks.runtime" -}}
{{- if eq .Values.runtime "celery" }}
{{- if .Values.consumersPaused }}
{{- fail "consumersPaused: true with runtime celery: only workers of the chassis stand by" }}
{{- end }}
{{- range $name := keys .Values.pools | sortAlpha }}
{{- $pool := index $.Values.pools $name }}
{{- if and (has $pool.role (list "api" "relay")) (not $pool.command) }}
{{- fail (printf "pools.%s: command is missing: with runtime celery the chart knows none of the role %s" $name $pool.role) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Each queue of the application has one pool that consumes it; more only where each of them says so. */}}
{{- define "celery-app.checks.queues" -}}
{{- $consumers := dict }}
{{- range $name := keys .Values.pools | sortAlpha }}
{{- $pool := include "celery-app.pool" (dict "root" $ "name" $name) | fromYaml }}
{{- range $pool.queues }}
{{- if contains "," . }}
{{- fail (printf "pools.%s.queues: %q holds a comma: write one item for each queue" $name .) }}
{{- end }}
{{- if and $.Values.queues (not (index $.Values.queues .)) }}
{{- fail (printf "pools.%s.queues: %q is not in queues: nothing is ever sent to it" $name .) }}
{{- end }}
{{- $other := get $consumers . }}
{{- if and $other (not (and $pool.sharesQueues (index $.Values.pools $other).sharesQueues)) }}
{{- fail (printf "pools.%s.queues: %q is consumed by pools.%s as well; where that is meant, both say sharesQueues: true" $name . $other) }}
{{- end }}
{{- $_ := set $consumers . $name }}
{{- end }}
{{- end }}
{{- range $queue, $used := .Values.queues }}
{{- if and $used (not (hasKey $consumers $queue)) }}
{{- fail (printf "queues: %q is consumed by no pool: its messages would wait for ever" $queue) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* Settings are in a ConfigMap, which many may read: no password there, and no address that is none. */}}
{{- define "celery-app.checks.settings" -}}
{{- range $key := keys .Values.settings | sortAlpha }}
{{- $value := index $.Values.settings $key | toString }}
{{- if regexMatch "://[^/?#]*:[^/?#]*@" $value }}
{{- fail (printf "settings.%s: holds a password; put %s into the secret %s instead" $key ($key | snakecase | upper) $.Values.existingSecret) }}
{{- end }}
{{- if and (regexMatch "(Url|Endpoint)$" $key) $value (not (regexMatch "^([a-z][a-z0-9+.-]*://(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?([/?#]\\S*)?|file:///\\S+)$" $value)) }}
{{- fail (printf "settings.%s: %q is no URL: it takes SCHEME://HOST[:PORT][/PATH]" $key $value) }}
{{- end }}
{{- end }}
{{- end }}

{{- /* An entry that names nobody would open the pods to everybody. */}}
{{- define "celery-app.checks.peers" -}}
{{- $peers := dict "networkPolicy.metricsFrom" .Values.networkPolicy.metricsFrom }}
{{- range $number, $from := .Values.networkPolicy.apiFrom }}
{{- $_ := set $peers (printf "networkPolicy.apiFrom.%d" $number) $from }}
{{- end }}
{{- range $name, $to := .Values.networkPolicy.egress }}
{{- if $to }}
{{- $_ := set $peers (printf "networkPolicy.egress.%s" $name) $to }}
{{- end }}
{{- end }}
{{- range $at := keys $peers | sortAlpha }}
{{- $peer := get $peers $at }}
{{- if and (not $peer.cidr) (not $peer.podLabels) }}
{{- fail (printf "%s: neither podLabels nor cidr: it would open to everybody; where that is meant, cidr: 0.0.0.0/0" $at) }}
{{- end }}
{{- end }}
{{- end }}

{{- /*
What the objects of a pool are called: no longer than Kubernetes takes, and nothing twice. A StatefulSet's name is also part of a label
of its pods, with ten letters more; KEDA puts `keda-hpa-` before the name. Takes {root, name, pool, at}.
*/}}
{{- define "celery-app.checks.names" -}}
{{- $name := printf "%s-%s" (include "celery-app.fullname" .root) .name }}
{{- $most := 63 }}
{{- if eq .pool.kind "StatefulSet" }}{{ $most = 52 }}{{ else if eq .pool.autoscaling.by "queue" }}{{ $most = 54 }}{{ end }}
{{- if .pool.canary }}{{ $name = printf "%s-canary" $name }}{{ end }}
{{- if gt (len $name) $most }}
{{- fail (printf "%s: %q has %d letters, Kubernetes takes %d: shorten the name of the pool or of the release" .at $name (len $name) $most) }}
{{- end }}
{{- range $suffix := list "canary" "pods" }}
{{- $other := trimSuffix (printf "-%s" $suffix) $.name }}
{{- if and (ne $other $.name) (hasKey $.root.Values.pools $other) }}
{{- fail (printf "%s: pools.%s makes objects of the same name with -%s" $.at $other $suffix) }}
{{- end }}
{{- end }}
{{- if eq .name "migrate" }}
{{- fail (printf "%s: the migration has this name: its pods would count as the pool's" .at) }}
{{- end }}
{{- if regexMatch "^(blue|green)-" .name }}
{{- fail (printf "%s: a release %s-%s would have an object of the same name" .at (include "celery-app.fullname" .root) (regexFind "^(blue|green)" .name)) }}
{{- end }}
{{- end }}

{{- /* A map that is null: Helm takes the key away, and a template that reads below it fails without a word of the cause. */}}
{{- define "celery-app.checks.maps" -}}
{{- range $path := list "image" "settings" "caBundle" "migration" "migration.resources" "api" "api.ingress" "api.route" "scaler" "networkPolicy" "networkPolicy.metricsFrom" "networkPolicy.egress" "monitoring" "defaults" "defaults.autoscaling" "defaults.resources" "pools" }}
{{- $value := $.Values }}
{{- range splitList "." $path }}
{{- $value = index (default dict $value) . }}
{{- end }}
{{- if not (kindIs "map" $value) }}
{{- fail (printf "%s: null: it must be a map; leave the key out to keep what the chart says" $path) }}
{{- end }}
{{- end }}
{{- end }}
