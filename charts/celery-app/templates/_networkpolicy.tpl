{{- /* Nothing in or out of the release's pods but what `networkPolicy` names: who answers them, and who may ask the API and the metrics. */}}
{{- define "celery-app.networkpolicy" }}
{{- if .Values.networkPolicy.enabled }}
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: {{ include "celery-app.fullname" . }}
  labels:
    {{- include "celery-app.whole" (dict "root" . "name" "networkpolicy") | nindent 4 }}
spec:
  podSelector:
    matchLabels:
      {{- include "celery-app.application" . | nindent 6 }}
  policyTypes: [Ingress, Egress]
  ingress:
    # Requests: also from outside the cluster, through whatever stands before the API, unless `apiFrom` names who may.
    - ports:
        - port: http
      {{- with .Values.networkPolicy.apiFrom }}
      from:
        {{- range . }}
        {{- include "celery-app.peer" . | nindent 8 }}
        {{- end }}
      {{- end }}
    - ports:
        - port: metrics
      from:
        {{- include "celery-app.peer" .Values.networkPolicy.metricsFrom | nindent 8 }}
    {{- range $pool := .Values.pools }}
    {{- range $name, $it := $pool.ports }}
    # {{ $name }}: the release's own pods, and whom the pool names.
    - ports:
        - port: {{ $name }}
      from:
        - podSelector:
            matchLabels:
              {{- include "celery-app.application" $ | nindent 14 }}
        {{- range $it.clients }}
        {{- include "celery-app.peer" . | nindent 8 }}
        {{- end }}
    {{- end }}
    {{- end }}
  egress:
    {{- range $name, $to := .Values.networkPolicy.egress }}
    {{- if $to }}
    # {{ $name }}
    - ports:
        - port: {{ int $to.port }}
          protocol: TCP
        {{- if $to.udp }}
        - port: {{ int $to.port }}
          protocol: UDP
        {{- end }}
      to:
        {{- include "celery-app.peer" $to | nindent 8 }}
    {{- end }}
    {{- end }}
{{- end }}
{{- end }}

{{- /* Pods by their labels, in this namespace or those with `namespaceLabels`; or addresses, where the peer is no pod. */}}
{{- define "celery-app.peer" -}}
{{- if .cidr -}}
- ipBlock:
    cidr: {{ .cidr }}
{{- else -}}
- podSelector:
    matchLabels:
      {{- toYaml .podLabels | nindent 6 }}
  {{- if hasKey . "namespaceLabels" }}
  namespaceSelector:
    matchLabels:
      {{- toYaml .namespaceLabels | nindent 6 }}
  {{- end }}
{{- end }}
{{- end }}
