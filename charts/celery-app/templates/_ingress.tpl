{{- /* The API under a host name, by an ingress controller (`api.ingress.host`). */}}
{{- define "celery-app.ingress" }}
{{- $ingress := .root.Values.api.ingress }}
{{- if $ingress.host }}
---
apiVersion: networking.k8s.io/v1
kind: Ingress
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
  {{- with $ingress.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- with $ingress.className }}
  ingressClassName: {{ . }}
  {{- end }}
  {{- with $ingress.tlsSecret }}
  tls:
    - hosts: {{ prepend $ingress.extraHosts $ingress.host | toJson }}
      secretName: {{ . }}
  {{- end }}
  rules:
    {{- range $host := prepend $ingress.extraHosts $ingress.host }}
    - host: {{ $host }}
      http:
        paths:
          {{- range $path := $ingress.paths }}
          - path: {{ $path }}
            pathType: Prefix
            backend:
              service:
                name: {{ include "celery-app.name" $ }}
                port:
                  name: http
          {{- end }}
    {{- end }}
{{- end }}
{{- end }}
