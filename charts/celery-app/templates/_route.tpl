{{- /* The API under a host name, by the Gateway API (`api.route.gateway`). */}}
{{- define "celery-app.route" }}
{{- $route := .root.Values.api.route }}
{{- if $route.gateway }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
spec:
  parentRefs:
    - name: {{ $route.gateway }}
      {{- with $route.gatewayNamespace }}
      namespace: {{ . }}
      {{- end }}
  {{- with $route.host }}
  hostnames: {{ prepend $route.extraHosts . | toJson }}
  {{- end }}
  rules:
    - backendRefs:
        - name: {{ include "celery-app.name" . }}
          port: 8000
{{- end }}
{{- end }}
