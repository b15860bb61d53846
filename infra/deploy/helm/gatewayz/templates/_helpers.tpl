{{- define "gatewayz.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- if contains $name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name $name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}
{{- end -}}

{{- define "gatewayz.selectorLabels" -}}
app.kubernetes.io/name: {{ default .Chart.Name .Values.nameOverride | trunc 63 | trimSuffix "-" }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "gatewayz.labels" -}}
{{ include "gatewayz.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- with .Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "gatewayz.image" -}}
{{- if .Values.image.digest -}}
{{ .Values.image.repository }}@{{ .Values.image.digest }}
{{- else -}}
{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}
{{- end -}}
{{- end -}}

{{- define "gatewayz.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- default (include "gatewayz.fullname" .) .Values.serviceAccount.name -}}
{{- else -}}
{{- default "default" .Values.serviceAccount.name -}}
{{- end -}}
{{- end -}}

{{- define "gatewayz.secretName" -}}
{{- default (include "gatewayz.fullname" .) .Values.secret.existingSecret -}}
{{- end -}}

{{- define "gatewayz.config" -}}
# Written by Helm from `config` of the values.
{{ toYaml .Values.config }}
{{- end -}}

{{/* What no schema can say. */}}
{{- define "gatewayz.check" -}}
{{- $config := .Values.config -}}
{{- if and (not .Values.secret.existingSecret) (not (and (index .Values.secret.values "GATEWAYZ_POSTGRES__URL") (index .Values.secret.values "GATEWAYZ_MASTER_KEY"))) -}}
{{- fail "name a Secret in secret.existingSecret, or set GATEWAYZ_POSTGRES__URL and GATEWAYZ_MASTER_KEY in secret.values" -}}
{{- end -}}
{{- if and .Values.secret.existingSecret .Values.secret.values -}}
{{- fail "secret.values would be ignored beside secret.existingSecret: leave one of them out" -}}
{{- end -}}
{{- if and (not (dig "blobs" "s3" "bucket" "" $config)) (not .Values.sharedData.existingClaim) -}}
{{- fail "blobs need a place that all nodes share: config.blobs.s3.bucket, or sharedData.existingClaim" -}}
{{- end -}}
{{- if and .Values.networkPolicy.enabled (not .Values.networkPolicy.egress) -}}
{{- fail "networkPolicy.egress must let the pods reach PostgreSQL and Kafka" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts names no host" -}}
{{- end -}}
{{- end -}}
