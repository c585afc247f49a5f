{{- /* The address of a worker pool whose pods listen on ports of their own. */}}
{{- define "celery-app.poolservice" }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
spec:
  selector:
    {{- include "celery-app.selector" . | nindent 4 }}
  ports:
    {{- range $name, $it := .pool.ports }}
    - name: {{ $name }}
      port: {{ int $it.port }}
      targetPort: {{ $name }}
    {{- end }}
{{- end }}

{{- /* The address of the API. `api.release` points it at another release's pods: that is the switch of blue and green. */}}
{{- define "celery-app.service" }}
---
apiVersion: v1
kind: Service
metadata:
  name: {{ include "celery-app.name" . }}
  labels:
    {{- include "celery-app.labels" . | nindent 4 }}
  {{- with .root.Values.api.service.annotations }}
  annotations:
    {{- toYaml . | nindent 4 }}
  {{- end }}
spec:
  {{- if ne .root.Values.api.service.type "ClusterIP" }}
  type: {{ .root.Values.api.service.type }}
  {{- end }}
  selector:
    app.kubernetes.io/name: {{ .root.Values.nameOverride | default .root.Chart.Name }}
    app.kubernetes.io/instance: {{ .root.Values.api.release | default .root.Release.Name }}
    app.kubernetes.io/component: {{ .name }}
  ports:
    - name: http
      port: 8000
      targetPort: http
{{- end }}
