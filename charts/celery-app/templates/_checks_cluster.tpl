{{- /*
Refuses what the cluster does not have, before anything of the release changes. A render without a cluster (helm template, GitOps) cannot
ask and goes on, and so does one in a namespace that is still to be made: every other has a ServiceAccount `default`.
*/}}
{{- define "celery-app.checks.cluster" -}}
{{- if lookup "v1" "ServiceAccount" .Release.Namespace "default" }}
{{- range $name := prepend .Values.extraSecrets .Values.existingSecret | compact }}
{{- if not (lookup "v1" "Secret" $.Release.Namespace $name) }}
{{- fail (printf "there is no Secret %q in the namespace %q: no pod could start; make it before the release (existingSecret, extraSecrets)" $name $.Release.Namespace) }}
{{- end }}
{{- end }}
{{- end }}
{{- end }}
